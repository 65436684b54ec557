/** Bytes of somebody's head, which Node gives as Latin-1, as no terminal, page, log or status line can mistake them. */
export function makePrintable (text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\x${unit.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
