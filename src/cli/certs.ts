import { randomBytes, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type * as Certificates from '../tls/certificates.ts'
import { parseArguments, readAction, UsageError } from './args.ts'
import { describeFileError, listExisting, writeFiles, type FileName } from './certificate-files.ts'
import type { Command, Terminal } from './command.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import type { Help } from './help.ts'

/** Devices are told to trust the authority once in their life; ten years is about as long as that is. */
const authorityDays = 3650
/** The longest that every TLS client accepts: the CA/Browser Forum's limit of 398 days, less one. */
const defaultServerDays = 397
const defaultDirectory = 'certs'

interface Request {
  readonly hosts: readonly string[]
  readonly directory: string
  readonly days: number
  readonly force: boolean
}

/** Something about the files that the person has to put right; the message says how. */
class FileProblem extends Error {}

const help = {
  paragraphs: [
    'Makes a certificate authority and a server certificate, so that clients can speak TLS to the gateway ' +
      '(HTTPS_PROXY=https://gateway.example:443). Writes four files:',
    [
      ['ca.crt', 'the authority, valid for 10 years: what devices are told to trust'],
      ['ca.key', 'its key, mode 0600: the gateway does not need it; keep it away from the gateway'],
      ['server.crt', 'the gateway\'s certificate and the authority\'s'],
      ['server.key', 'its key, mode 0600'],
    ],
  ],
  actions: {
    init: { summary: 'make the certificates, or renew that of the server' },
  },
  flags: {
    host: {
      type: 'string',
      value: 'NAME',
      multiple: true,
      required: true,
      description: 'a name or IP address by which clients reach the gateway; a wildcard is the whole first label, ' +
        '\'*.plant.example\'',
    },
    dir: {
      type: 'string',
      value: 'DIR',
      takes: 'directory',
      description: `where to write (${defaultDirectory}); made with mode 0700 if it is not there`,
    },
    days: {
      type: 'string',
      value: 'N',
      description: `how long the server certificate is valid, 1 to ${authorityDays} days (${defaultServerDays}); never ` +
        'longer than the authority',
    },
    force: {
      type: 'boolean',
      description: 'replace an existing server certificate; an existing authority is used again, not replaced, so that ' +
        'devices go on trusting the gateway',
    },
  },
  exits: {
    [exitCode.ok]: 'the files are written',
    [exitCode.usage]: 'bad usage, or the files cannot be written or used again',
  },
  examples: [
    {
      purpose: 'Make a certificate for a name and an address, in ./certs',
      line: 'acr-egress certs init --host gateway.example --host 10.0.0.4',
    },
    {
      purpose: 'Renew it by the same authority, once a year',
      line: 'acr-egress certs init --host gateway.example --dir /etc/acr-egress/certs --force',
    },
  ],
} satisfies Help

/** `acr-egress certs`: an authority of one's own and a server certificate, for the TLS listener. */
export const certsCommand: Command = {
  help,

  async run (argv, terminal) {
    // Only this command issues certificates; no other is to carry the weight of forge.
    const certificates = await import('../tls/certificates.ts')
    const request = readRequest(argv, certificates)
    try {
      return await initCertificates(request, terminal, certificates)
    } catch (error) {
      const problem = explainProblem(error, request.directory)
      if (problem === undefined) throw error
      terminal.stderr.write(`acr-egress certs: ${problem}\n`)
      return exitCode.usage
    }
  },
}

function readRequest (argv: readonly string[], { parseCertificateHost }: typeof Certificates): Request {
  const given = parseArguments(argv, help)
  const [action, ...rest] = given.words
  readAction('certs', help, action)
  if (rest.length > 0) throw new UsageError(`certs init: ${rest.join(' ')} is too much; write each name as --host NAME`)
  const hosts = given.values('host').map((text) => {
    const host = parseCertificateHost(text)
    if (host !== undefined) return host.name
    throw new UsageError(`--host ${text}: neither a DNS name nor an IP address; write a name alone, without scheme, ` +
      'port or brackets, such as gateway.example, *.plant.example, 10.0.0.4 or fd00::4')
  })
  if (hosts.length === 0) {
    throw new UsageError('certs init: --host is missing; write --host NAME for each name or address that clients use for the gateway')
  }
  return {
    hosts: [...new Set(hosts)],
    directory: resolve(given.value('dir') ?? defaultDirectory),
    days: readDays(given.value('days')),
    force: given.has('force'),
  }
}

function readDays (text = String(defaultServerDays)): number {
  const days = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (days >= 1 && days <= authorityDays) return days
  throw new UsageError(`--days ${text}: write a whole number from 1 to ${authorityDays}`)
}

async function initCertificates (
  request: Request, terminal: Terminal, { issueAuthority, issueServerCertificate }: typeof Certificates,
): Promise<ExitCode> {
  const { directory, hosts, days, force } = request
  const existing = await listExisting(directory)
  if (existing.length > 0 && !force) throw new FileProblem(describeExisting(directory, existing))
  const now = new Date()
  const kept = await readAuthority(directory, existing, now)
  const authority = kept ?? await issueAuthority({
    // Unique, so that a device that trusts two gateways can tell their authorities apart.
    commonName: `acr-egress CA ${randomBytes(4).toString('hex')}`,
    validDays: authorityDays,
    now,
  })
  const server = await issueServerCertificate({ authority, hosts, validDays: days, now })
  const newAuthority = kept === undefined ? { 'ca.key': authority.keyPem, 'ca.crt': authority.certificatePem } : {}
  await writeFiles(directory, { ...newAuthority, 'server.key': server.keyPem, 'server.crt': server.chainPem })
  terminal.stdout.write(describeUse(request, authority.certificatePem, server.certificatePem, kept !== undefined))
  return exitCode.ok
}

function describeExisting (directory: string, existing: readonly FileName[]): string {
  return `${directory} already holds ${existing.join(', ')}; nothing was written. Write --force to replace the server ` +
    'certificate (an existing authority is used again), or choose another --dir'
}

/** The authority that is there, to be used again; `undefined` when there is none. */
async function readAuthority (
  directory: string, existing: readonly FileName[], now: Date,
): Promise<Certificates.Authority | undefined> {
  const present = (['ca.crt', 'ca.key'] as const).filter((name) => existing.includes(name))
  if (present.length === 0) return undefined
  if (present.length === 1) {
    const missing = present[0] === 'ca.crt' ? 'ca.key' : 'ca.crt'
    throw new FileProblem(`${directory} holds ${present.join()} without ${missing}; bring ${missing} back, or move ` +
      `${present.join()} away to begin a new authority, which devices must then be told to trust`)
  }
  const certificatePem = await readFile(join(directory, 'ca.crt'), 'utf8')
  const keyPem = await readFile(join(directory, 'ca.key'), 'utf8')
  const certificate = parseCertificate(certificatePem)
  const renewal = 'move ca.crt and ca.key away to begin a new authority, which devices must then be told to trust'
  if (certificate?.ca !== true) throw new FileProblem(`${join(directory, 'ca.crt')} is no authority's certificate; ${renewal}`)
  if (new Date(certificate.validTo) <= now) {
    throw new FileProblem(`${join(directory, 'ca.crt')} ended on ${formatDay(certificate)}; ${renewal}`)
  }
  return { certificatePem, keyPem }
}

function parseCertificate (pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

function describeUse (request: Request, authorityPem: string, serverPem: string, isKept: boolean): string {
  const { directory, hosts } = request
  const path = (name: FileName): string => quote(join(directory, name))
  const authorityNote = isKept ? 'kept: devices that trust it need nothing new' : 'new: tell devices to trust it, see below'
  return `In ${directory}:
  ca.crt      the authority, until ${formatDay(new X509Certificate(authorityPem))} (${authorityNote})
  ca.key      its key; the gateway does not need it, so move it to a safe place
  server.crt  for ${hosts.join(', ')}, until ${formatDay(new X509Certificate(serverPem))}
  server.key  its key; the user that the gateway runs as must own it

In the gateway's configuration:

listen:
  tls:
    certFile: ${path('server.crt')}
    keyFile: ${path('server.key')}

On each client, copy ca.crt there and let the system trust it:

  Debian, Ubuntu      sudo cp ca.crt /usr/local/share/ca-certificates/acr-egress.crt && sudo update-ca-certificates
  docker, containerd  as above, then: sudo systemctl restart docker containerd
  Windows             certutil -addstore -f Root ca.crt     (as administrator)
`
}

/** As YAML and a shell both read it: plain, or in quotes when it holds more than the usual letters. */
function quote (path: string): string {
  return /^[\w./-]+$/.test(path) ? path : JSON.stringify(path)
}

function formatDay ({ validTo }: X509Certificate): string {
  return new Date(validTo).toISOString().slice(0, 10)
}

/** What a person can put right, with what to do; `undefined` for a bug. */
function explainProblem (error: unknown, directory: string): string | undefined {
  if (error instanceof FileProblem) return error.message
  // By name, because the class lives in a module that is loaded late.
  if (error instanceof Error && error.name === 'AuthorityError') {
    return `ca.crt and ca.key in ${directory} cannot be used: ${error.message}; bring the right pair back, or move both away`
  }
  return describeFileError(error, directory)
}
