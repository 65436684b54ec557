/** The blocks of a text that have this label (RFC 7468 §2), in order, each with its two lines. */
export function listPemBlocks (text: string, label: string): readonly string[] {
  return text.match(new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----`, 'g')) ?? []
}

/** How many such blocks the text begins, those that are cut off too. */
export function countPemBlocks (text: string, label: string): number {
  return text.split(`-----BEGIN ${label}-----`).length - 1
}

/** The bytes of one block. */
export function decodePemBlock (block: string): Buffer {
  return Buffer.from(block.replace(/-----[^-]+-----/g, ''), 'base64')
}
