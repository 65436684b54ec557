import type { Exchange } from './exchange.ts'
import { readDate } from './handshake.ts'
import { failByStatus } from './registry-answer.ts'
import type { Route } from './route.ts'
import { type Outcome, StepFailure } from './step.ts'
import type { Walk } from './walk.ts'

/** Where a registry gives tokens; `undefined`: it wants none. */
export type TokenPlace = { readonly url: URL, readonly service: string } | undefined

// The links to layers live 20 minutes; a clock that is off by a quarter of that is worth a word.
const maxClockDifferenceMs = 5 * 60_000

/** Asks for `/v2/`, and looks at where the registry sends for a token: one step. */
export async function checkChallenge (
  walk: Walk, route: Route, exchange: Exchange, now: () => number,
): Promise<TokenPlace> {
  return await walk.take({
    step: 'challenge',
    host: route.host,
    late: { found: 'GET /v2/ was not answered', toDo: `Try again; if it stays, see what is between here and ${route.host}.` },
    take: async (signal) => {
      const answer = await exchange.fetch(route, { url: new URL(`https://${route.host}/v2/`), signal })
      if (answer.status !== 401 && answer.status !== 200) throw failByStatus(answer, 'GET /v2/')
      const clock = judgeClock(now(), readDate(answer.headers.date))
      if (answer.status === 200) return { value: undefined, found: 'GET /v2/ wants no token', ...clock }
      return { ...readChallenge(answer.headers['www-authenticate'] ?? '', route.host), ...clock }
    },
  })
}

function readChallenge (header: string, host: string): Outcome<TokenPlace> {
  const bearer = /(?:^|,)\s*Bearer\s+(.*)$/is.exec(header)?.[1]
  const realm = bearer === undefined ? '' : readParameter(bearer, 'realm')
  if (bearer === undefined || !URL.canParse(realm)) {
    throw new StepFailure('GET /v2/ wants a password, but names no place for a token',
      `No Azure registry answers so: see what answers in the place of ${host}.`)
  }
  const url = new URL(realm)
  if (url.protocol !== 'https:' || url.host !== host) {
    throw new StepFailure(`GET /v2/ sends for a token to ${url.origin}, which is not https://${host}`,
      `Give it no password: something answers in the place of ${host}. See who issued the certificate (step tls).`)
  }
  const service = readParameter(bearer, 'service')
  return { value: { url, service: service === '' ? host : service }, found: `GET /v2/ sends for a token to ${url.origin}${url.pathname}` }
}

/** A parameter of a challenge, `name="value"` (RFC 9110 section 11.6.1); '' when it is not there. */
function readParameter (parameters: string, name: string): string {
  return new RegExp(`(?:^|[ ,])${name}="([^"]*)"`, 'i').exec(parameters)?.[1] ?? ''
}

function judgeClock (now: number, serverNow: number | undefined): { readonly toDo?: string } {
  const difference = serverNow === undefined ? 0 : now - serverNow
  if (Math.abs(difference) <= maxClockDifferenceMs) return {}
  const minutes = Math.round(Math.abs(difference) / 60_000)
  return {
    toDo: `This machine's clock is ${minutes} minutes ${difference < 0 ? 'behind' : 'ahead of'} the registry's: ` +
      'set it (timedatectl set-ntp true).',
  }
}
