import type { TokenPlace } from './challenge.ts'
import { type Answer, type Exchange, readObject } from './exchange.ts'
import { failByStatus, nameAnswer } from './registry-answer.ts'
import type { Route } from './route.ts'
import { StepFailure } from './step.ts'
import type { Walk } from './walk.ts'

/** Who pulls: a service principal, a token of the registry or its admin user. */
export interface Credentials {
  readonly user: string
  readonly password: string
}

/** The headers that go with each request to the login server, and to nobody else. */
export type Authorization = Readonly<Record<string, string>>

export interface TokenOptions {
  readonly place: TokenPlace
  readonly repository: string
  /** Absent: nobody in particular. */
  readonly credentials: Credentials | undefined
}

/** Asks for leave to pull from a repository: one step. */
export async function fetchToken (
  walk: Walk, route: Route, exchange: Exchange, { place, repository, credentials }: TokenOptions,
): Promise<Authorization> {
  const { host } = route
  return await walk.take<Authorization>({
    step: 'token',
    host,
    late: { found: 'the registry gave no token', toDo: `Try again; if it stays, see what is between here and ${host}.` },
    take: async (signal) => {
      if (place === undefined) return { value: {}, found: 'the registry wants none' }
      const url = new URL(place.url)
      url.searchParams.set('service', place.service)
      url.searchParams.set('scope', `repository:${repository}:pull`)
      const headers = credentials === undefined ? {} : { Authorization: encodeBasic(credentials) }
      const answer = await exchange.fetch(route, { url, headers, signal })
      const token = readToken(answer, credentials)
      const who = credentials === undefined ? 'anonymous pull' : `user ${credentials.user}`
      return { value: { Authorization: `Bearer ${token}` }, found: `a token for ${who}` }
    },
  })
}

function readToken (answer: Answer, credentials: Credentials | undefined): string {
  const said = `(${nameAnswer(answer)})`
  if (answer.status === 401 && credentials === undefined) {
    throw new StepFailure(`the registry lets nobody pull without a password ${said}`,
      'Write --user NAME --password-file FILE; or allow anonymous pull (az acr update --anonymous-pull-enabled).')
  }
  if (answer.status === 401 && credentials !== undefined) {
    throw new StepFailure(`the registry does not take the password of user ${credentials.user} ${said}`,
      'See that --user and the file belong together, and that the secret has not expired (az acr credential show, ' +
      'az ad sp credential list).')
  }
  if (answer.status !== 200) throw failByStatus(answer, 'the request for a token')
  const { access_token: accessToken, token = accessToken } = readObject(answer) ?? {}
  // It goes into a header, whose characters are not for the registry to choose.
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token
  throw new StepFailure('the answer to the request for a token has none', 'See what answers in the place of the registry.')
}

function encodeBasic ({ user, password }: Credentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}
