import type { DownloadError } from '../tags/download.ts'
import { microsoftHosts } from '../tags/download-page.ts'
import { maxTagFileBytes } from '../tags/tag-file.ts'

const offline = 'or fetch the file elsewhere, from Microsoft\'s download page, and copy it here'

/** Why a download failed, and what to do; `isMirror` when it was not to come from Microsoft. */
export function describeDownload ({ failure, url, code }: DownloadError, isMirror: boolean): string {
  const hosts = isMirror ? new URL(url).hostname : microsoftHosts.join(' and ')
  const way = `have ${hosts} let through, set HTTPS_PROXY, ${offline}`
  switch (failure) {
    case 'unreachable': return `${url} cannot be reached (${code}); ${way}`
    case 'timeout': return `${url} does not answer in time (${code}); ${way}`
    case 'untrusted': return `${url} shows a certificate that is not trusted here (${code}); set NODE_EXTRA_CA_CERTS to a ` +
      `file with the authority of your mirror or of a proxy that looks into TLS, ${offline}`
    case 'status': return `${url} was answered with ${code}; try again later, ${offline}`
    case 'no_link': return `${url} links to no file of service tags for this cloud; write --from with the file's own ` +
      `address, ${offline}`
    case 'too_long': return `${url} is longer than ${maxTagFileBytes / 1024 / 1024} MiB; see that it is the right address`
    case 'insecure': return `${url}, where the address leads, is not https; write --from with one that stays with https`
    case 'bad_proxy': return 'HTTPS_PROXY or HTTP_PROXY is no address of a proxy; write it like http://proxy.example:3128'
  }
}
