import {
  encodeExtension, encodeHello, encodeHostName, encodeNameEntry, encodeNumbers, encodeRecords, encodeServerName,
  encodeVector,
} from './hello-encoder.ts'
import { createDice } from './noise.ts'
import { recordedHellos } from './recorded-hellos.ts'

/** The name in every hello before it is changed. */
export const originalName = 'contoso.azurecr.io'

type Roll = (limit: number) => number

/** Makes changed ClientHellos, always the same ones for a seed. */
export function createMutants (seed: number): () => Buffer {
  const dice = createDice(seed)
  const roll: Roll = (limit) => Math.floor(dice() * limit)
  const recorded = recordedHellos.map(({ hex }) => Buffer.from(hex, 'hex'))
  return () => {
    if (roll(3) === 0) return composeMutant(roll)
    const hello = pick(recorded, roll)
    return roll(2) === 0 ? damage(hello, 1 + roll(4), roll) : damageInside(hello, roll)
  }
}

/** A hello with its message changed, and then put into records again, with its outermost lengths right or not. */
function damageInside (hello: Buffer, roll: Roll): Buffer {
  const message = damage(hello.subarray(5, 5 + hello.readUInt16BE(3)), 1 + roll(3), roll)
  if (message.length > 4 && roll(4) > 0) message.writeUIntBE(message.length - 4, 1, 3)
  if (roll(4) > 0) repairExtensions(message)
  return encodeRecords(message, [1 + roll(message.length), 1 + roll(message.length)])
}

/** Sets the length of the list of extensions to what there is, where a walk that trusts all lengths finds it. */
function repairExtensions (message: Buffer): void {
  let at = 4 + 2 + 32
  at += 1 + (message[at] ?? 0)
  at += 2 + (message[at] ?? 0) * 256 + (message[at + 1] ?? 0)
  at += 1 + (message[at] ?? 0)
  if (at + 2 <= message.length) message.writeUInt16BE(message.length - at - 2, at)
}

/** A few edits, half of them in or near the name. */
function damage (bytes: Buffer, edits: number, roll: Roll): Buffer {
  let changed: Buffer = Buffer.from(bytes)
  for (let count = 0; count < edits && changed.length > 0; count++) {
    const nameAt = roll(2) === 0 ? changed.indexOf(originalName) : -1
    const at = nameAt === -1 ? roll(changed.length) : Math.min(changed.length - 1, Math.max(0, nameAt - 9 + roll(36)))
    changed = edit(changed, at, roll)
  }
  return changed
}

function edit (bytes: Buffer, at: number, roll: Roll): Buffer {
  const before = bytes.subarray(0, at)
  const after = bytes.subarray(at)
  const end = Math.min(bytes.length, at + 1 + (roll(2) === 0 ? roll(4) : roll(60)))
  const slice = bytes.subarray(at, end)
  switch (roll(9)) {
    case 0: return overwrite(bytes, at, (bytes[at] ?? 0) ^ (1 << roll(8)))
    case 1: return overwrite(bytes, at, pick([0, 1, 3, 22, 0x7f, 0xff, 0x2e, roll(256)], roll))
    case 2: case 3: return overwrite(bytes, at, (bytes[at] ?? 0) + pick([-2, -1, 1, 2, -roll(40), roll(40)], roll))
    case 4: return Buffer.concat([before, Buffer.from(Array.from({ length: 1 + roll(8) }, () => roll(256))), after])
    case 5: return Buffer.concat([before, bytes.subarray(end)])
    case 6: return Buffer.concat([before, slice, after])
    case 7: {
      const to = roll(bytes.length)
      return Buffer.concat([bytes.subarray(0, to), slice, bytes.subarray(to)])
    }
    default: return roll(4) === 0 ? Buffer.from(before) : overwrite(bytes, at, roll(256))
  }
}

function overwrite (bytes: Buffer, at: number, value: number): Buffer {
  bytes[at] = value & 0xff
  return bytes
}

// Enough for OpenSSL to go on with, whatever else there is.
const suites = [0x1301, 0xc02f, 0x9c, 0x2f]
const groups = encodeExtension(10, encodeVector(encodeNumbers([0x1d, 0x17], 2), 2))

/** A hello put together from parts, all its lengths right, and then damaged a little or not at all. */
function composeMutant (roll: Roll): Buffer {
  const extensions = [groups]
  for (let count = roll(4); count > 0; count--) extensions.push(composeExtension(roll))
  shuffle(extensions, roll)
  const message = encodeHello({
    version: pick([0x0301, 0x0302, 0x0303, 0x0303, 0x0300 + roll(256)], roll),
    sessionId: Buffer.alloc(pick([0, 0, 32, roll(40)], roll), roll(256)),
    suites: Array.from({ length: roll(4) }, () => roll(65536)).concat(suites),
    methods: pick([[0], [1, 0], [0, roll(256)]], roll),
    extensions,
  })
  const bytes = encodeRecords(message, pick([[2 ** 14], [1], [1 + roll(20), 1 + roll(200)]], roll))
  return roll(3) === 0 ? damage(bytes, 1, roll) : bytes
}

function composeExtension (roll: Roll): Buffer {
  const name = composeName(roll)
  switch (roll(8)) {
    case 0: return encodeServerName(encodeNameEntry(name, roll(3)), encodeNameEntry(originalName, roll(2)))
    case 1: return encodeExtension(0, damage(encodeServerName(encodeNameEntry(name)).subarray(4), 1, roll))
    case 2: return encodeExtension(pick([21, 23, 0xfe0d, 0x3a3a], roll), Buffer.alloc(roll(30)))
    // Extensions that look like one with a name to a reader who has lost its place.
    case 3: return encodeExtension(0x3a3a, encodeHostName(name))
    default: return encodeHostName(name)
  }
}

function composeName (roll: Roll): string {
  const other = pick(['evil.example', 'a.b', 'CONTOSO.azurecr.IO', `${originalName}.`, 'x', '127.0.0.1', ''], roll)
  if (roll(3) === 0) return other
  const bytes = Buffer.from(roll(4) === 0 ? other : originalName)
  return bytes.length === 0 ? '' : edit(bytes, roll(bytes.length), roll).toString('latin1')
}

function shuffle (list: Buffer[], roll: Roll): void {
  for (let index = list.length - 1; index > 0; index--) {
    const other = roll(index + 1)
    const [a, b] = [list[index], list[other]]
    if (a !== undefined && b !== undefined) [list[index], list[other]] = [b, a]
  }
}

function pick<Item> (list: readonly Item[], roll: Roll): Item {
  return list[roll(list.length)] as Item
}
