import { type ParsedProxyUrl, type ProxyUrlForm, encodeUserInfo, parseProxyUrl } from '../net/proxy-url.ts'

const form: ProxyUrlForm = {
  example: { host: 'gateway.example', port: 443 },
  credentialsAdvice: 'give the name and password by --user and --password-file, which encode them',
}

/** Reads the URL that clients are to have: strictly, since each of them has a parser of its own. */
export function parseClientProxyUrl (text: string): ParsedProxyUrl {
  return parseProxyUrl(text, form)
}

/**
 * The URL as it was meant, when it is only that user information is not percent-encoded; what was, is left alone.
 * It is for the person who wrote the URL: it holds the password.
 */
export function respellProxyUrl (text: string): string | undefined {
  const [, start = '', userInfo, place = ''] = /^([^/]*:\/\/)(.*)@([^@]*)$/s.exec(text) ?? []
  if (userInfo === undefined || /\p{Cs}/u.test(userInfo)) return undefined
  const [user = '', ...password] = userInfo.split(':')
  const parts = password.length === 0 ? [user] : [user, password.join(':')]
  const right = parts.map((part) => {
    return part.replace(/%[0-9A-Fa-f]{2}|[^]/gu, (found) => found.length === 3 ? found : encodeUserInfo(found))
  }).join(':')
  const respelled = `${start}${right}@${place}`
  return respelled !== text && parseClientProxyUrl(respelled).ok ? respelled : undefined
}
