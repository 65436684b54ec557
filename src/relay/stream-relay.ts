import { type Relay, type RelayEnd, type RelayOptions, type RelayOutcome, resetEnd } from './ends.ts'

// How long an end may go on sending to nobody, so that what it is still owed is not cut off by an early reset.
const lingerMs = 10_000

/** The relay over Node's streams: each chunk is read into memory and written out again. */
export function startStreamRelay ({ client, upstream, early, idleTimeoutMs }: RelayOptions): Relay {
  const bytes = { fromClient: 0, fromUpstream: 0 }
  let lastByteAt = performance.now()
  let outcome: RelayOutcome | undefined
  let openEnds = 2
  let lingerTimer: NodeJS.Timeout | undefined
  let resolveEnded: (outcome: RelayOutcome) => void
  const ended = new Promise<RelayOutcome>((resolve) => { resolveEnded = resolve })
  const idleTimer = setTimeout(() => reset('idle'), idleTimeoutMs)

  function touch (): void {
    lastByteAt = performance.now()
    idleTimer.refresh()
  }

  /** Ends both ends hard; the first reason stands. */
  function reset (reason: RelayOutcome): void {
    outcome ??= reason
    resetEnd(client)
    resetEnd(upstream)
  }

  /** Carries one direction, from `source` to `sink`. */
  function pump (source: RelayEnd, sink: RelayEnd, count: (length: number) => void): void {
    source.stream.on('data', (chunk: Buffer) => {
      count(chunk.length)
      touch()
      if (!sink.stream.write(chunk)) source.stream.pause()
    })
    sink.stream.on('drain', () => {
      touch()
      source.stream.resume()
    })
    // It may have ended before there was a tunnel: a client that only sends, an upstream that hangs up at once.
    if (source.stream.readableEnded) passEnd(source, sink)
    else source.stream.once('end', () => passEnd(source, sink))
    source.stream.resume()
  }

  /** Passes on a FIN, once it is known to be one. */
  function passEnd (source: RelayEnd, sink: RelayEnd): void {
    probe(source)
    setImmediate(() => { if (readErrorCode(source) !== 'ECONNRESET') sink.stream.end() })
  }

  /** Follows the life of one end; `other` learns how it died. */
  function watch (end: RelayEnd, other: RelayEnd, resetOutcome: RelayOutcome): void {
    function closed (): void {
      if (!hadEnded(end)) {
        reset(resetOutcome)
      } else if (!end.stream.writableFinished) {
        // It has said all it had to say and takes no more: what the other end still sends is for nobody, but what it
        // is still owed must reach it.
        outcome ??= resetOutcome
        discard(other)
        lingerTimer ??= setTimeout(() => reset(resetOutcome), lingerMs)
        // With its FIN bytes may have been lost: the other end gets none, and is done when it says so.
        if (!end.stream.readableEnded) other.stream.once('end', () => reset(resetOutcome))
      }
      if (--openEnds > 0) return
      clearTimeout(idleTimer)
      clearTimeout(lingerTimer)
      resolveEnded(outcome ?? 'closed')
    }
    // A reset comes as an error and then a close; the close says all there is to say.
    end.stream.on('error', () => {})
    if (end.socket !== end.stream) end.socket.on('error', () => {})
    if (end.stream.closed) closed()
    else end.stream.once('close', closed)
  }

  watch(client, upstream, 'client_reset')
  watch(upstream, client, 'upstream_reset')
  if (early.length > 0) {
    bytes.fromClient += early.length
    upstream.stream.write(early)
  }
  pump(client, upstream, (length) => { bytes.fromClient += length })
  pump(upstream, client, (length) => { bytes.fromUpstream += length })

  return {
    bytes,
    idleMs: () => performance.now() - lastByteAt,
    ended,
    stop: () => reset('stopped'),
  }
}

/**
 * Makes a reset show itself: libuv takes one that comes close behind data for FIN (POLLHUP after a short read). Writing
 * nothing to such a socket fails, and so does what is still to be written.
 */
function probe ({ stream, socket }: RelayEnd): void {
  if (stream.writable && stream.writableLength === 0) socket.write('')
}

/**
 * Whether an end that is closed had sent FIN. A reset behind a FIN has a code of its own, EPIPE; a write may meet it
 * before the FIN is read.
 */
function hadEnded (end: RelayEnd): boolean {
  const code = readErrorCode(end)
  return code === 'EPIPE' || (end.stream.readableEnded && code !== 'ECONNRESET')
}

/** The system's code of the error that an end was closed by. */
function readErrorCode ({ stream, socket }: RelayEnd): unknown {
  const error = stream.errored ?? socket.errored
  return error !== null && 'code' in error ? error.code : undefined
}

/** Throws away what an end sends from now on. */
function discard ({ stream }: RelayEnd): void {
  stream.removeAllListeners('data')
  stream.resume()
}
