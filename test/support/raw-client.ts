import { EventEmitter, once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Test } from 'tap'

/** How a connection was over, and all that came before. */
export interface Ending {
  readonly bytes: Buffer
  /** `reset`: by either side. `silence`: for ten seconds nothing came, and the client gave up. */
  readonly how: 'end' | 'reset' | 'silence'
}

/** A client that sends exactly the bytes it is told to, and reads until the other side is done. */
export interface RawClient {
  /** For ending and pausing; TLS, if the connection is. */
  readonly socket: Socket
  /** Breaks the connection off with RST. */
  reset (): void
  /** A text is one byte a character. */
  send (bytes: string | Buffer): void
  /** Resolves when this many bytes have come, with all that have; rejects when the connection is over before. */
  receive (length: number): Promise<Buffer>
  /** Resolves with the head of the answer, up to its empty line; what follows is left to `receive`. */
  receiveHead (): Promise<string>
  /** Resolves with the whole answer, the content that its head announces too; what follows is left to `receive`. */
  receiveAnswer (): Promise<string>
  /** Resolves when the other side has ended the connection, or either has reset it. Never rejects. */
  readonly ended: Promise<Ending>
}

export interface RawClientOptions {
  readonly host: string
  readonly port: number
  /** Speaks TLS, and trusts this authority (PEM). */
  readonly ca?: string
  /** Its own certificate and key (PEM), where it is asked for one. */
  readonly cert?: string
  readonly key?: string
  /** Comes from this address. */
  readonly localAddress?: string
  /** Goes on sending after the other side's end. */
  readonly allowHalfOpen?: boolean
}

/** Connects, and has a connection when it resolves; the test's end destroys it. */
export async function connectRaw (t: Test, options: RawClientOptions): Promise<RawClient> {
  const { ca, cert, key, ...address } = options
  const tcp = connect({ ...address, noDelay: true })
  t.teardown(() => { tcp.destroy() })
  await once(tcp, 'connect')
  if (ca === undefined) return collect(tcp, tcp)
  const stream = connectTls({ socket: tcp, ca, cert, key, host: options.host })
  t.teardown(() => { stream.destroy() })
  await once(stream, 'secureConnect')
  return collect(stream, tcp)
}

const emptyLine = '\r\n\r\n'
const patienceMs = 10_000

function collect (socket: Socket, tcp: Socket): RawClient {
  const chunks: Buffer[] = []
  const arrivals = new EventEmitter()
  let isOver = false

  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    arrivals.emit('more')
  })
  const ended = new Promise<Ending>((resolve) => {
    function settle (how: Ending['how']): void {
      isOver = true
      arrivals.emit('more')
      resolve({ bytes: Buffer.concat(chunks), how })
    }
    socket.once('end', () => settle('end'))
    socket.on('error', () => settle('reset'))
    socket.once('close', () => settle('reset'))
    socket.setTimeout(patienceMs, () => {
      settle('silence')
      socket.destroy()
    })
  })

  async function receiveUntil (isEnough: (bytes: Buffer) => boolean): Promise<Buffer> {
    for (;;) {
      const bytes = Buffer.concat(chunks)
      if (isEnough(bytes)) return bytes
      if (isOver) throw new Error(`the connection was over after ${bytes.length} bytes: ${bytes.toString('latin1')}`)
      await once(arrivals, 'more')
    }
  }

  /** Takes this many bytes away from what has come. */
  async function take (length: number): Promise<string> {
    const bytes = await receiveUntil((received) => received.length >= length)
    chunks.splice(0, chunks.length, bytes.subarray(length))
    return bytes.toString('latin1', 0, length)
  }

  async function receiveHead (): Promise<string> {
    const bytes = await receiveUntil((received) => received.includes(emptyLine))
    return await take(bytes.indexOf(emptyLine) + emptyLine.length)
  }

  return {
    socket,
    reset: () => { tcp.resetAndDestroy() },
    send: (bytes) => { socket.write(bytes, 'latin1') },
    receive: (length) => receiveUntil((bytes) => bytes.length >= length),
    receiveHead,
    async receiveAnswer () {
      const head = await receiveHead()
      return head + await take(Number(/^content-length: ([0-9]+)\r$/im.exec(head)?.[1] ?? 0))
    },
    ended,
  }
}
