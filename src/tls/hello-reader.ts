/** Most bytes of a ClientHello, records and all: 16 KiB. Those of today's clients have 200 to 2,000. */
export const maxHelloBytes = 16 * 1024

/** Why bytes are no ClientHello that the gateway takes. */
export type HelloProblem =
  /** They do not begin with a handshake record of TLS: another protocol, or TLS that is already under way. */
  | 'no_handshake'
  /** The first handshake message is another one. */
  | 'no_client_hello'
  /** Its lengths do not add up, or its records are broken. */
  | 'malformed'
  /** It has, or says that it has, more than `maxHelloBytes`. */
  | 'too_large'
  /** It has a server_name extension, and in it, or in a second one, something else than one usable host name. */
  | 'unusable_name'

// RFC 8446 §5.1 and §4: the content type, and the type of the message.
const handshakeRecord = 22
const clientHello = 1
const recordHeaderBytes = 5
const handshakeHeaderBytes = 4

/** Version, random, no session id, one cipher suite, one compression method, no extensions. */
const minBodyBytes = 2 + 32 + 1 + (2 + 2) + (1 + 1)

/**
 * The fields of a ClientHello, out of the records that carry it; reads each byte once, and copies none.
 *
 * It stops at the first byte that no ClientHello can have there, or where the bytes end; from then on, `take` gives 0
 * and the others do nothing, so that who reads asks for `stop` only where it matters.
 */
export class HelloReader {
  readonly #bytes: Uint8Array
  #at = 0
  /** Bytes of the record under way that have not been read. */
  #fragmentLeft = 0
  /** Bytes of the message that have not been read: bounds until its header has been read, the same from then on. */
  #leastLeft = handshakeHeaderBytes
  #mostLeft = Infinity
  #stop: 'partial' | HelloProblem | undefined

  constructor (bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Why there is nothing more to read: the bytes so far are a beginning, or cannot be one. */
  get stop (): 'partial' | HelloProblem | undefined {
    return this.#stop
  }

  /** Bytes of the message behind what has been read. */
  get left (): number {
    return this.#mostLeft
  }

  /** The header of the message. Its length is judged at each of its bytes, as it bounds what may follow. */
  begin (): void {
    this.take(1, clientHello, clientHello, 'no_client_hello')
    let length = 0
    for (let missing = 2; missing >= 0; missing--) {
      const byte = this.#next()
      if (byte === undefined) return
      length += byte << 8 * missing
      const most = length + highest(missing)
      this.#leastLeft = missing + length
      this.#mostLeft = missing + most
      if (most < minBodyBytes) this.refuse('malformed')
      this.#judgeFragment(this.#fragmentLeft, this.#fragmentLeft)
    }
  }

  /** A number of so many bytes, which must be one of `least` to `most`. */
  take (width: number, least: number, most: number, problem: HelloProblem = 'malformed'): number {
    if (least > most) this.refuse(problem)
    const value = this.#isWhole(width) ? this.#takeAtOnce(width) : this.#takeBytes(width, least, most, problem)
    if (value > most || value < least) this.refuse(problem)
    return this.#stop === undefined ? value : 0
  }

  /** So many bytes that are nobody's business here. */
  skip (count: number): void {
    let missing = count
    while (missing > 0 && this.#isReadable()) {
      const step = Math.min(missing, this.#fragmentLeft, this.#bytes.length - this.#at)
      this.#advance(step)
      missing -= step
    }
  }

  /** So many bytes, each as a character. */
  text (length: number): string {
    let text = ''
    for (let missing = length; missing > 0; missing--) {
      const byte = this.#next()
      if (byte === undefined) return ''
      text += String.fromCharCode(byte)
    }
    return text
  }

  /** Stops; the first reason counts. */
  refuse (problem: HelloProblem): void {
    this.#stop ??= problem
  }

  /** Whether so many bytes are there, in the record under way. */
  #isWhole (count: number): boolean {
    return this.#stop === undefined && count <= this.#fragmentLeft && count <= this.#bytes.length - this.#at
  }

  /** Halves what it costs to read a hello of thousands of extensions again at each of its bytes. */
  #takeAtOnce (width: number): number {
    let value = 0
    for (let index = 0; index < width; index++) value = value << 8 | (this.#bytes[this.#at + index] ?? 0)
    this.#advance(width)
    return value
  }

  #takeBytes (width: number, least: number, most: number, problem: HelloProblem): number {
    let value = 0
    for (let missing = width - 1; missing >= 0; missing--) {
      const byte = this.#next()
      if (byte === undefined) return 0
      value += byte << 8 * missing
      if (value > most || value + highest(missing) < least) this.refuse(problem)
    }
    return value
  }

  #next (): number | undefined {
    if (!this.#isReadable()) return undefined
    const byte = this.#bytes[this.#at]
    this.#advance(1)
    return byte
  }

  #advance (count: number): void {
    this.#at += count
    this.#fragmentLeft -= count
    this.#leastLeft -= count
    this.#mostLeft -= count
  }

  /** Whether the next byte of the message is there; goes on to the next record for it. */
  #isReadable (): boolean {
    if (this.#stop === undefined && this.#fragmentLeft === 0) this.#openRecord()
    if (this.#stop === undefined && this.#at >= this.#bytes.length) this.#stop = 'partial'
    return this.#stop === undefined
  }

  /** RFC 8446 §5.1: the minor version is to be ignored, and no record of a handshake is empty. */
  #openRecord (): void {
    const bytes = this.#bytes
    const start = this.#at
    const problem = start === 0 ? 'no_handshake' : 'malformed'
    const present = bytes.length - start
    if (present > 0 && bytes[start] !== handshakeRecord) this.refuse(problem)
    if (present > 1 && bytes[start + 1] !== 3) this.refuse(problem)
    const high = bytes[start + 3]
    const low = bytes[start + 4]
    this.#at = start + recordHeaderBytes
    if (high !== undefined) this.#judgeFragment(Math.max(1, high * 256), high * 256 + 255)
    if (high !== undefined && low !== undefined) this.#openFragment(high * 256 + low)
    else this.#stop ??= 'partial'
  }

  #openFragment (length: number): void {
    if (length === 0) this.refuse('malformed')
    this.#judgeFragment(length, length)
    this.#fragmentLeft = length
  }

  /**
   * A record that begins here, with `least` to `most` bytes, must not go on behind the message, and there must be room
   * for the rest of the message in it, or in one more. That a record has 2^14 bytes at most follows.
   */
  #judgeFragment (least: number, most: number): void {
    if (least > this.#mostLeft) this.refuse('malformed')
    const length = Math.min(Math.max(this.#leastLeft, least), most)
    const behind = this.#leastLeft > length ? recordHeaderBytes + this.#leastLeft - length : 0
    if (this.#at + length + behind > maxHelloBytes) this.refuse('too_large')
  }
}

/** The highest number of so many bytes, 3 at most. */
function highest (width: number): number {
  return (1 << 8 * width) - 1
}
