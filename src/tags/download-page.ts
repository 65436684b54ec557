import type { Cloud } from '../acr/clouds.ts'

/** What was fetched, and from where. */
export interface Download {
  readonly url: string
  readonly text: string
}

// A page may hold several links, of which the newest does not always work.
const maxLinks = 3

/** Microsoft's page for a cloud's file. */
export function findPage ({ tagsPageId }: Cloud): URL {
  return new URL(`https://www.microsoft.com/en-us/download/details.aspx?id=${tagsPageId}`)
}

/** The hosts that a refresh from Microsoft needs. */
export const microsoftHosts = ['www.microsoft.com', 'download.microsoft.com'] as const

/**
 * The links to a cloud's files in a page, the newest three first: to Microsoft's download host, or on the page of a
 * mirror to that `mirror` alone.
 */
export function findLinks ({ text, url: pageUrl }: Download, { tagsName }: Cloud, mirror?: URL): readonly URL[] {
  const { origin } = mirror ?? new URL('https://download.microsoft.com')
  const form = new RegExp(`["'=]\\s*([^"'\\s<>=]*ServiceTags_${tagsName}_(\\d{8})\\.json)`, 'g')
  const days = new Map<string, string>()
  // In a script the slashes may be escaped, and in an attribute the quotation marks.
  const plain = text.replaceAll('\\/', '/').replaceAll(/\\u002f/gi, '/').replaceAll('&quot;', '"')
  for (const [, link = '', day = ''] of plain.matchAll(form)) {
    if (!URL.canParse(link, pageUrl)) continue
    const url = new URL(link, pageUrl)
    if (url.origin === origin) days.set(url.href, day)
  }
  return [...days].sort(([, a], [, b]) => b.localeCompare(a)).slice(0, maxLinks).map(([href]) => new URL(href))
}

/** Where the file is when no page leads to it; in use by others for years, and in none of Microsoft's documents. */
export function listLastResorts ({ tagsName }: Cloud): readonly URL[] {
  const folder = 'https://download.microsoft.com/download/7/1/D/71D86715-5596-4529-9B13-DA13A5DE5B63'
  return tagsName === 'Public' ? [new URL(`${folder}/ServiceTags_Public_Latest.json`)] : []
}
