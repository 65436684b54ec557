import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import type * as Certificates from '../tls/certificates.ts'
import { type Arguments, UsageError } from './args.ts'
import { type AuthorityFiles, explainFileProblem, readAuthority } from './certificate-files.ts'
import type { Flags } from './help.ts'

/** What an action of `acr-egress certs` is about to do, once its words have been understood. */
export interface CertificatePlan {
  readonly directory: string
  readonly authorityFiles: AuthorityFiles
  /** Writes the files, and resolves with what a person is told. Rejects with what `explainProblem` knows, or a bug. */
  issue (): Promise<string>
}

/** Devices are told to trust an authority once in their life; ten years is about as long as that is. */
const authorityDays = 3650
/** The longest that every TLS client accepts of a server: the CA/Browser Forum's limit of 398 days, less one. */
const defaultDays = 397
const defaultDirectory = 'certs'

/** What each action can be told. */
export const certificateFlags = {
  dir: {
    type: 'string',
    value: 'DIR',
    takes: 'directory',
    description: `where to write (${defaultDirectory}); made with mode 0700 if it is not there`,
  },
  days: {
    type: 'string',
    value: 'N',
    description: `how long the certificate is valid, 1 to ${authorityDays} days (${defaultDays}); never longer than the ` +
      'authority',
  },
  force: {
    type: 'boolean',
    description: 'replace an existing certificate; an existing authority is used again, not replaced, so that whoever ' +
      'trusts it need not be told anew',
  },
} as const satisfies Flags

/** What those flags ask for. */
export interface CertificateRequest {
  readonly directory: string
  readonly days: number
  readonly force: boolean
}

/** @throws UsageError for a number of days that cannot be had. */
export function readCertificateRequest (given: Arguments<keyof typeof certificateFlags>): CertificateRequest {
  return {
    directory: resolve(given.value('dir') ?? defaultDirectory),
    days: readDays(given.value('days')),
    force: given.has('force'),
  }
}

function readDays (text = String(defaultDays)): number {
  const days = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (days >= 1 && days <= authorityDays) return days
  throw new UsageError(`--days ${text}: write a whole number from 1 to ${authorityDays}`)
}

/** An authority that can issue. */
export interface PreparedAuthority {
  readonly authority: Certificates.Authority
  /** Whether it was there. */
  readonly isKept: boolean
  /** What there is to write of it, by the names of the files. */
  readonly contents: Readonly<Record<string, string>>
}

/** The authority that is there, or a new one. Rejects as `readAuthority` does. */
export async function prepareAuthority (
  directory: string, files: AuthorityFiles, now: Date, { issueAuthority }: typeof Certificates,
): Promise<PreparedAuthority> {
  const kept = await readAuthority(directory, files, now)
  if (kept !== undefined) return { authority: kept, isKept: true, contents: {} }
  // Unique, so that whoever trusts two of them can tell them apart.
  const commonName = `${files.title} ${randomBytes(4).toString('hex')}`
  const authority = await issueAuthority({ commonName, validDays: authorityDays, now })
  return {
    authority,
    isKept: false,
    contents: { [files.key]: authority.keyPem, [files.certificate]: authority.certificatePem },
  }
}

/** As YAML and a shell both read it: plain, or in quotes when it holds more than the usual letters. */
export function quotePath (path: string): string {
  return /^[\w./-]+$/.test(path) ? path : JSON.stringify(path)
}

/** What a person can put right, with what to do; `undefined` for a bug. */
export function explainProblem (
  error: unknown, { directory, authorityFiles: { certificate, key } }: Omit<CertificatePlan, 'issue'>,
): string | undefined {
  // By name, because the class lives in a module that is loaded late.
  if (error instanceof Error && error.name === 'AuthorityError') {
    return `${certificate} and ${key} in ${directory} cannot be used: ${error.message}; bring the right pair back, or move both away`
  }
  return explainFileProblem(error, directory)
}
