import { createServer, type Socket } from 'node:net'
import type { Test } from 'tap'
import { listenOnLoopback } from '../../src/lab/loopback.ts'
import { type AlertDescription, type HelloReading, readClientHello, renderAlert } from '../../src/tls/client-hello.ts'

/** What was sent through one tunnel. */
export interface Recording {
  /** `HOST:PORT`. */
  readonly target: string
  /** What it was once it was not `partial` any more. */
  readonly reading: HelloReading
  /** All that has come, also what was under way when the alert was sent. */
  bytes: Buffer
}

/** A proxy that lets nobody through: it opens each tunnel, reads a ClientHello, answers with an alert and ends. */
export interface HelloRecorder {
  readonly port: number
  readonly recordings: readonly Recording[]
}

/** The end of the test closes it. */
export async function startHelloRecorder (t: Test, alert: AlertDescription): Promise<HelloRecorder> {
  const recordings: Recording[] = []

  function record (client: Socket, target: string): void {
    let bytes = Buffer.alloc(0)
    let recording: Recording | undefined
    client.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (recording !== undefined) recording.bytes = bytes
      const reading = readClientHello(bytes)
      if (recording !== undefined || reading.state === 'partial') return
      recording = { target, reading, bytes }
      recordings.push(recording)
      client.end(renderAlert(alert))
    })
  }

  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    client.on('error', () => client.destroy())
    client.on('end', () => client.end())
    client.once('data', (head: Buffer) => {
      record(client, head.toString('latin1').split(' ')[1] ?? '')
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    })
  })
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  return { port, recordings }
}
