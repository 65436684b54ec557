import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** One end of a tunnel. */
export interface RelayEnd {
  /** What bytes are read from and written to: the TCP connection, or TLS over it. */
  readonly stream: Duplex
  /** The TCP connection below; the same object as `stream` without TLS. Kept so that a reset can be passed on. */
  readonly socket: Socket
}

/** How a relay ended; a closed list, and a metric label. */
export const relayOutcomes = [
  /** Both ends finished, each after the other had everything. */
  'closed',
  /** An end was reset, and the other one with it. */
  'client_reset', 'upstream_reset',
  /** No byte in either direction for the idle time. */
  'idle',
  /** The gateway ended it. */
  'stopped',
  /** What carried it broke down. */
  'failed',
] as const

export type RelayOutcome = typeof relayOutcomes[number]

/** Bytes carried so far; plain numbers that move while the relay runs. */
export interface ByteCounts {
  readonly fromClient: number
  readonly fromUpstream: number
}

export interface RelayOptions {
  readonly client: RelayEnd
  readonly upstream: RelayEnd
  /** Bytes the client sent behind its request; they go to the upstream first. */
  readonly early: Buffer
  /** The relay ends when neither end has sent a byte for so long, in milliseconds. */
  readonly idleTimeoutMs: number
}

/** A running relay. It owns both ends from the start, and has destroyed both when `ended` resolves. */
export interface Relay {
  readonly bytes: ByteCounts
  /** Milliseconds since the last byte in either direction. */
  idleMs (): number
  /** Resolves, and never rejects, once both ends are closed. */
  readonly ended: Promise<RelayOutcome>
  /** Resets both ends at once. */
  stop (): void
}

/**
 * Sends RST (RFC 9293 §3.5.2), so that the peer cannot take a broken-off transfer for a whole one. TLS closes with the
 * socket below it; destroying both by hand makes Node 20 crash.
 */
export function resetEnd ({ stream, socket }: RelayEnd): void {
  if (socket.destroyed) return
  // All bytes are out, and FIN is on its way: libuv refuses a reset now, and Node would never close the socket.
  const isFinishing = stream.writableEnded && !stream.writableFinished && stream.writableLength === 0
  if (isFinishing) stream.destroy()
  else socket.resetAndDestroy()
}
