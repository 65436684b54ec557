import { text as readAll } from 'node:stream/consumers'
import type { Registry } from '../acr/endpoints.ts'
import { escapeControls, quote } from '../config/problem.ts'
import { type ImageReference, parseImageReference } from '../doctor/image-reference.ts'
import type { Credentials } from '../doctor/token.ts'
import { readTextFile } from '../host/text-file.ts'
import { type ProxyUrl, type ProxyUrlForm, parseProxyUrl } from '../net/proxy-url.ts'
import { type Arguments, UsageError } from './args.ts'

/** What is to be walked to, and how. */
export interface Request {
  readonly image: ImageReference | undefined
  readonly proxy: ProxyUrl | undefined
  readonly credentials: Credentials | undefined
}

/**
 * Reads the flags of doctor that are about a pull, and the password.
 *
 * @throws UsageError
 */
export async function readRequest (given: Arguments): Promise<Request> {
  const image = readImage(given.value('image'))
  const proxy = readProxy(given.value('proxy'))
  return { image, proxy, credentials: await readCredentials(given) }
}

function readImage (text: string | undefined): ImageReference | undefined {
  if (text === undefined) return undefined
  const parsed = parseImageReference(text)
  if (parsed.ok) return parsed.image
  throw new UsageError(`--image ${quote(text)} ${parsed.problem}`)
}

function readProxy (text: string | undefined): ProxyUrl | undefined {
  if (text === undefined) return undefined
  const parsed = parseProxyUrl(text, proxyForm)
  if (parsed.ok) return parsed.proxy
  const { what, write } = parsed.mistake
  throw new UsageError(escapeControls(`--proxy: this is not a proxy's URL: ${what}; ${write}`))
}

/** As docker reads HTTPS_PROXY. */
const proxyForm: ProxyUrlForm = {
  example: { host: 'gw.corp.example', port: 443 },
  credentialsAdvice: 'write %40 for @, %3A for :, %2F for / and %25 for %',
  takesShortForms: true,
}

async function readCredentials (given: Arguments): Promise<Credentials | undefined> {
  const user = given.value('user')
  const file = given.value('password-file')
  if (user === undefined && file === undefined) return undefined
  if (user === undefined) throw new UsageError('--password-file goes with --user; write --user NAME too')
  if (file === undefined) throw new UsageError('--user goes with --password-file; write --password-file FILE too, or - for standard input')
  if (!given.has('image')) throw new UsageError('--user is for a pull; write --image REPO:TAG too')
  // RFC 7617 section 2.
  if (user.includes(':')) throw new UsageError('--user: a user has no colon; write the password into the file of --password-file')
  return { user, password: await readPassword(file) }
}

/** Long enough for any token of Entra that is used as a password. */
const maxPasswordBytes = 64 * 1024

async function readPassword (file: string): Promise<string> {
  const what = file === '-' ? 'standard input' : escapeControls(file)
  const content = file === '-' ? { ok: true, text: await readInput() } as const : await readTextFile(file, maxPasswordBytes)
  if (!content.ok) throw new UsageError(`--password-file ${what}: it ${content.message}`)
  const password = content.text.replace(/\r?\n$/, '')
  if (password === '' || /[\r\n]/.test(password)) {
    throw new UsageError(`--password-file ${what}: it holds ${password === '' ? 'nothing' : 'several lines'}; write the password alone`)
  }
  return password
}

async function readInput (): Promise<string> {
  if (process.stdin.isTTY) {
    throw new UsageError('--password-file -: standard input is a terminal, which would show the password; write < FILE')
  }
  return (await readAll(process.stdin)).slice(0, maxPasswordBytes)
}

/**
 * The registries that an image can be pulled from: the one that it names, or the only one.
 *
 * @throws UsageError when it is not clear which is meant.
 */
export function chooseRegistries (
  registries: readonly Registry[], image: ImageReference | undefined,
): readonly Registry[] {
  if (image === undefined) return registries
  const hosts = registries.map(({ loginServer }) => loginServer.host).join(', ')
  if (image.registry !== undefined) {
    const named = registries.filter(({ loginServer }) => loginServer.host === image.registry)
    if (named.length > 0) return named
    throw new UsageError(`--image: ${image.registry} is not a registry of the configuration, which has ${hosts}; write --registry ${image.registry} too`)
  }
  if (registries.length === 1) return registries
  throw new UsageError(`--image: there are several registries (${hosts}); write --registry LOGIN_SERVER too`)
}
