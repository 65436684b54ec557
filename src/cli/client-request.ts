import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import type { ClientRequest } from '../client-files/client-setup.ts'
import { listBypasses, localNames, parseNoProxy } from '../client-files/no-proxy.ts'
import { parseClientProxyUrl, respellProxyUrl } from '../client-files/proxy-url.ts'
import type { Configuration } from '../config/configuration.ts'
import { loadConfiguration } from '../config/load.ts'
import { escapeControls, quote } from '../config/problem.ts'
import { readSecretFile } from '../host/secret-file.ts'
import { readTextFile } from '../host/text-file.ts'
import { type Credentials, type ProxyUrl, findCredentialsProblem } from '../net/proxy-url.ts'
import { type Arguments, UsageError } from './args.ts'
import type { Terminal } from './command.ts'
import { configurationFlags, printProblems, readLoadOptions } from './configuration-flags.ts'

/** A chain of certificates is a few KiB. */
const maxFileBytes = 256 * 1024

/**
 * What the flags ask for, with the files that they name; `undefined` when the configuration is not good, which has been
 * said then.
 *
 * @throws UsageError for a flag or a file that does not serve.
 */
export async function readClientRequest (given: Arguments, terminal: Terminal): Promise<ClientRequest | undefined> {
  const url = given.value('proxy')
  const needsConfiguration = url === undefined || Object.keys(configurationFlags).some((flag) => given.has(flag))
  // The tags change nothing here, and their file may be on another machine.
  const loaded = needsConfiguration
    ? await loadConfiguration({ ...readLoadOptions(given), skipTagFile: true })
    : undefined
  if (loaded?.ok === false) {
    if (url === undefined) terminal.stderr.write('Write --proxy http://gateway.example:443. Without it the configuration has to say where the gateway is, and:\n')
    printProblems(terminal, loaded.problems)
    return undefined
  }
  const configuration = loaded?.configuration
  const proxy = url === undefined ? readListener(configuration) : readProxy(url)
  const credentials = await readCredentials(given, proxy)
  const authorityPem = await readAuthority(given.value('ca'))
  return {
    proxy: { ...proxy, ...credentials === undefined ? {} : { credentials } },
    noProxy: readNoProxy(given.value('no-proxy')),
    ...authorityPem === undefined ? {} : { authorityPem },
    loginServer: configuration?.registries[0]?.loginServer.host ?? 'REGISTRY.azurecr.io',
  }
}

/** What is allowed, and yet is probably not what was meant. */
export function listClientWarnings ({ proxy, noProxy }: ClientRequest): string[] {
  return [
    ...listBypasses(noProxy).map((entry) =>
      `--no-proxy ${entry} leads clients past the gateway to a registry or its layers; leave it out, unless that is meant`),
    ...proxy.credentials === undefined ? [] : credentialsWarnings,
  ]
}

const credentialsWarnings = [
  'the gateway asks for a password only if its configuration has clients.passwordFile; if not, the one given is for a proxy in front of it',
  'every user of the client can see a password in the environment of a service (systemctl show), and in files that all may read',
]

function readProxy (text: string): ProxyUrl {
  const parsed = parseClientProxyUrl(text)
  if (parsed.ok) return parsed.proxy
  const { what, write } = parsed.mistake
  const right = respellProxyUrl(text)
  const advice = right === undefined ? write : `write ${right}, or ${write}`
  throw new UsageError(escapeControls(`--proxy: this is not a proxy's URL: ${what}; ${advice}`))
}

/** Where the configuration has the gateway listen, if that is an address that clients can use. */
function readListener (configuration: Configuration | undefined): ProxyUrl {
  const { address, port } = configuration?.listen ?? { address: '', port: 0 }
  if (port !== 0 && address !== '0.0.0.0' && address !== '::') return { scheme: 'http', host: address, port }
  const what = port === 0 ? 'listen.port is 0, any free one' : `listen.address is ${address}, every address of the gateway's machine`
  const example = `--proxy http://gateway.example:${port === 0 ? 443 : port}`
  throw new UsageError(`--proxy: the configuration does not say where clients find the gateway (${what}); write ${example}`)
}

function readNoProxy (text: string | undefined): readonly string[] {
  if (text === undefined) return localNames
  const parsed = parseNoProxy(text)
  if (parsed.ok) return parsed.entries
  throw new UsageError(`--no-proxy ${quote(text)}: ${parsed.mistake.what}; ${parsed.mistake.write}`)
}

async function readCredentials (given: Arguments, proxy: ProxyUrl): Promise<Credentials | undefined> {
  const user = given.value('user')
  const file = given.value('password-file')
  if (user === undefined && file === undefined) return proxy.credentials
  if (proxy.credentials !== undefined) throw new UsageError('--user: the URL of --proxy has a user already; give it once')
  if (user === undefined) throw new UsageError('--password-file: needs --user NAME')
  const credentials = { user, ...file === undefined ? {} : { password: await readPassword(file) } }
  const problem = findCredentialsProblem(credentials)
  if (problem === undefined) return credentials
  throw new UsageError(`--user: ${problem}; give the name and the password of the proxy, the password in the first line of its file`)
}

async function readPassword (file: string): Promise<string> {
  const read = await readSecretFile(file)
  if (read.ok) return read.secret
  throw new UsageError(escapeControls(`--password-file ${file}: ${read.message}`))
}

async function readAuthority (file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  const content = await readTextFile(file, maxFileBytes)
  const name = `--ca ${escapeControls(file)}`
  if (!content.ok) throw new UsageError(`${name}: ${content.message}`)
  if (content.text.includes('PRIVATE KEY-----')) {
    throw new UsageError(`${name}: has a private key in it, which no client may have; give the certificate alone, ca.crt of acr-egress certs`)
  }
  const blocks = content.text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  const authorities = blocks.map(readAuthorityPem).filter((pem) => pem !== undefined)
  if (authorities.length === 0 || authorities.length < blocks.length) {
    throw new UsageError(`${name}: is not the certificate of an authority in PEM form; give ca.crt of acr-egress certs`)
  }
  return authorities.join('')
}

/** An authority's certificate, written anew: nothing else of the file gets any further. */
function readAuthorityPem (pem: string): string | undefined {
  try {
    const certificate = new X509Certificate(pem)
    return certificate.ca ? certificate.toString() : undefined
  } catch {
    return undefined
  }
}

/** The root that files are written below, absolute. */
export function readRoot (given: Arguments): string | undefined {
  const directory = given.value('directory')
  return directory === undefined ? undefined : resolve(directory)
}
