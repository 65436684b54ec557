import type { Entry } from './help.ts'

/**
 * A text that troff prints as it stands: with the characters of ASCII that it would draw otherwise, so that what is
 * read can be copied, and no line that it takes for a request.
 */
export function escapeTroff (text: string): string {
  const characters: Readonly<Record<string, string>> = {
    '\\': '\\e', '-': '\\-', '\'': '\\(aq', '`': '\\(ga', '^': '\\(ha', '~': '\\(ti', '"': '\\(dq', '…': '\\&...',
  }
  return text.replace(/[\\\-'`^~"…]/g, (character) => characters[character] ?? character).replace(/^\./gm, '\\&.')
}

/** Where a page comes from. */
export interface Origin {
  readonly version: string
  /** The folder of what it is made from. */
  readonly source: string
}

/** The first lines of a page of man(7). */
export function renderTitle (title: string, section: number, { version, source }: Origin): readonly string[] {
  return [
    `.\\" Generated from ${source} by npm run generate; edit it there.`,
    `.TH ${escapeTroff(title.toUpperCase())} ${section} ${reviewedOn} "acr\\-egress\\-gateway ${version}"`,
  ]
}

/**
 * When the words of the pages were last looked through as a whole, which is what their date is for: not the day on
 * which they are generated, so that the same sources make the same pages.
 */
const reviewedOn = '2026-11-25'

/** A list of terms in bold with their meanings. */
export function renderEntries (entries: readonly Entry[]): readonly string[] {
  return entries.flatMap(([term, meaning]) => ['.TP', `\\fB${escapeTroff(term)}\\fR`, escapeTroff(meaning)])
}

/** Lines to be copied, indented, as they are. */
export function renderLiteral (text: string): readonly string[] {
  return ['.RS 4', '.nf', escapeTroff(text), '.fi', '.RE']
}
