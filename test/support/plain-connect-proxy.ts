import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { pipeline } from 'node:stream'

/** What the proxy does with one CONNECT: dial there, or write these bytes and end. */
export type ConnectAnswer = { readonly dial: string } | { readonly write: string }

export interface PlainConnectProxyOptions {
  /** Where each target (`HOST:PORT`) is really served (`IP:PORT`), or what to answer to such a head instead. */
  readonly answer: (target: string, head: string) => ConnectAnswer
  /** Written in the same packet as the 200, as if the target had spoken first. */
  readonly earlyBytes?: string
}

export interface PlainConnectProxy {
  readonly host: string
  readonly port: number
  /** The request line and headers of every CONNECT, in order. */
  readonly requests: readonly string[]
  close (): Promise<void>
}

/** The smallest proxy that a client can be tested with: no policy, no limits, loopback only. The caller closes it. */
export async function startPlainConnectProxy (options: PlainConnectProxyOptions): Promise<PlainConnectProxy> {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    track(client)
    client.once('data', (head: Buffer) => {
      client.pause()
      const request = head.toString('latin1')
      requests.push(request)
      const answer = options.answer(request.split(' ')[1] ?? '', request)
      if ('write' in answer) client.end(answer.write)
      else relay(client, answer.dial)
    })
  })

  function track (socket: Socket): void {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
  }

  function relay (client: Socket, dial: string): void {
    const [host, port] = dial.split(':')
    const upstream = connect(Number(port), host)
    track(upstream)
    upstream.once('connect', () => {
      client.write(`HTTP/1.1 200 Connection established\r\n\r\n${options.earlyBytes ?? ''}`)
      pipeline(client, upstream, () => {})
      pipeline(upstream, client, () => {})
    })
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    requests,
    async close () {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
