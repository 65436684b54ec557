/** What a ClientHello is made of; what is absent is as in one of TLS 1.2 with one suite and no extensions. */
export interface HelloParts {
  /** legacy_version. */
  readonly version?: number
  /** In place of 32 bytes of 0x5a. */
  readonly random?: Buffer
  readonly sessionId?: Buffer
  readonly suites?: readonly number[]
  readonly methods?: readonly number[]
  /** Not even the length of the list when absent. */
  readonly extensions?: readonly Buffer[]
}

/** The message with its header, to be put into records (RFC 8446 §4.1.2). */
export function encodeHello (parts: HelloParts = {}): Buffer {
  const { version = 0x0303, random = Buffer.alloc(32, 0x5a), sessionId = Buffer.alloc(0), suites = [0xc02f] } = parts
  const body = Buffer.concat([
    encodeNumber(version, 2),
    random,
    encodeVector(sessionId, 1),
    encodeVector(encodeNumbers(suites, 2), 2),
    encodeVector(Buffer.from(parts.methods ?? [0]), 1),
    ...parts.extensions === undefined ? [] : [encodeVector(Buffer.concat(parts.extensions), 2)],
  ])
  return Buffer.concat([Buffer.of(1), encodeVector(body, 3)])
}

export function encodeExtension (type: number, content: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([encodeNumber(type, 2), encodeVector(content, 2)])
}

/** An entry of a list of server names; 0 is a host name. A text is one byte a character. */
export function encodeNameEntry (name: string, type = 0): Buffer {
  return Buffer.concat([Buffer.of(type), encodeVector(Buffer.from(name, 'latin1'), 2)])
}

/** A server_name extension with these entries (RFC 6066 §3). */
export function encodeServerName (...entries: readonly Buffer[]): Buffer {
  return encodeExtension(0, encodeVector(Buffer.concat(entries), 2))
}

/** The server_name extension that every client sends. */
export function encodeHostName (name: string): Buffer {
  return encodeServerName(encodeNameEntry(name))
}

/** Puts bytes into records of these sizes, the last of which is taken again and again until all have their place. */
export function encodeRecords (bytes: Buffer, sizes: readonly number[] = [2 ** 14]): Buffer {
  // A record has a byte at least, and five before it.
  const records = Buffer.alloc(bytes.length * 6)
  let end = 0
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const length = Math.min(bytes.length - at, sizes[Math.min(index, sizes.length - 1)] ?? 1)
    records.set([22, 3, 1, length >> 8, length & 0xff], end)
    bytes.copy(records, end + 5, at, at + length)
    end += 5 + length
    at += length
  }
  return records.subarray(0, end)
}

/** Content behind its length, which has so many bytes. */
export function encodeVector (content: Buffer, width: number): Buffer {
  return Buffer.concat([encodeNumber(content.length, width), content])
}

/** Numbers of so many bytes each, one behind the other. */
export function encodeNumbers (values: readonly number[], width: number): Buffer {
  return Buffer.concat(values.map((value) => encodeNumber(value, width)))
}

function encodeNumber (value: number, width: number): Buffer {
  const bytes = Buffer.alloc(width)
  bytes.writeUIntBE(value, 0, width)
  return bytes
}
