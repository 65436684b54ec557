import type { ClientRequest, Entry, Step } from './client-setup.ts'
import { formatProxyUrl } from '../net/proxy-url.ts'
import { quoteForShell } from './quoting.ts'

/**
 * The variables that programs look for their proxy in. There is no `HTTP_PROXY` among them: the gateway carries no
 * plain HTTP, so it would only turn what works into refusals.
 */
export function listVariables ({ proxy, noProxy }: ClientRequest): readonly Entry[] {
  return [
    { key: 'HTTPS_PROXY', value: formatProxyUrl(proxy) },
    { key: 'NO_PROXY', value: noProxy.join(',') },
  ]
}

/** Also in lower case, which some programs alone read, and others read first. */
export function listVariablesInBothCases (request: ClientRequest): readonly Entry[] {
  return listVariables(request).flatMap(({ key, value }) => [{ key, value }, { key: key.toLowerCase(), value }])
}

/** A question to the registry by way of the gateway that needs nothing but curl. */
export function createCurlStep ({ proxy, loginServer }: ClientRequest): Step {
  const url = quoteForShell(formatProxyUrl(proxy))
  return {
    command: `curl -sS -o /dev/null -w '%{http_connect} %{http_code}\\n' --proxy ${url} https://${loginServer}/v2/`,
    expect: '200 401: the gateway lets it through, and the registry asks who you are',
  }
}
