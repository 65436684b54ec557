import { readTextFile } from '../host/text-file.ts'
import { type PasswordFileProblem, type Users, parsePasswordFile } from '../users/password-file.ts'
import { type Finding, type Problem, escapeControls, formatProblem } from './problem.ts'

/** A password file that was read. */
export interface PasswordFile {
  /** Its absolute path. */
  readonly file: string
  readonly users: Users
  /** Which state of the file this was, for `watchFiles`. */
  readonly stamp: string
}

/** The file, or why it cannot serve. */
export type PasswordFileReading =
  | { readonly ok: true, readonly passwordFile: PasswordFile }
  /** Something is wrong with the file as a whole: what; what to do. */
  | { readonly ok: false, readonly message: string }
  /** Or with lines of it. */
  | { readonly ok: false, readonly problems: readonly Problem[] }

export interface LoadedPasswordFile {
  /** Absent unless it is named and good. */
  readonly passwordFile?: PasswordFile
  /** What is wrong with the file as a whole. */
  readonly findings: readonly Finding[]
  /** What is wrong with lines of it. */
  readonly problems: readonly Problem[]
  readonly warnings: readonly Finding[]
}

const filePath = ['clients', 'passwordFile'] as const

/** Some 10,000 users. */
const maxBytes = 1024 * 1024

/** 56 ms of a processor for each guess, if the file is ever lost; OWASP's Password Storage Cheat Sheet says so too. */
const goodCost = 10

/** Reads the password file when it is named, by its absolute path. Never rejects. */
export async function loadPasswordFile (file: string | undefined): Promise<LoadedPasswordFile> {
  if (file === undefined) return { findings: [], problems: [], warnings: [] }
  const reading = await readPasswordFile(file)
  if (!reading.ok) {
    return 'message' in reading
      ? { findings: [{ path: filePath, message: reading.message }], problems: [], warnings: [] }
      : { findings: [], problems: reading.problems, warnings: [] }
  }
  const { passwordFile } = reading
  return { passwordFile, findings: [], problems: [], warnings: listCostWarnings(passwordFile) }
}

/** Reads a password file, which must be nobody else's. Never rejects. */
export async function readPasswordFile (file: string): Promise<PasswordFileReading> {
  const content = await readTextFile(file, maxBytes, { takesPipe: false })
  const name = escapeControls(file)
  if (!content.ok) return { ok: false, message: `${name} ${content.message}` }
  if ((content.mode & 0o007) !== 0) return { ok: false, message: `others may use the password file; write chmod o= ${name}` }
  const parsed = parsePasswordFile(content.text)
  if (parsed.ok) return { ok: true, passwordFile: Object.freeze({ file, users: parsed.users, stamp: content.stamp }) }
  return { ok: false, problems: parsed.problems.map((problem) => placeProblem(file, problem)) }
}

function placeProblem (file: string, { line, message }: PasswordFileProblem): Problem {
  return { place: { file, ...line === undefined ? {} : { line } }, key: '', message }
}

/** Why a file cannot serve, on one line. */
export function describePasswordFile (reading: Extract<PasswordFileReading, { ok: false }>): string {
  if ('message' in reading) return reading.message
  const [first, ...more] = reading.problems.map(formatProblem)
  return more.length === 0 ? first ?? '' : `${first} (and ${more.length} more; acr-egress check lists them)`
}

function listCostWarnings ({ users: { passwords } }: PasswordFile): Finding[] {
  const weak = [...passwords.values()].filter(({ cost }) => cost < goodCost).length
  if (weak === 0) return []
  const whose = weak === 1 ? 'the hash of 1 user' : `the hashes of ${weak} users`
  return [{
    path: filePath,
    message: `${whose} would be quick to guess at if the file were lost (cost below ${goodCost}; htpasswd has 5 unless told); ` +
      `make them with htpasswd -B -C ${goodCost}`,
  }]
}
