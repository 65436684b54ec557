/** What is stored of a user's password. */
export interface StoredPassword {
  /** The whole bcrypt hash, in the form `$2b$COST$...`. */
  readonly hash: string
  /** The logarithm, to base 2, of the rounds that the hash takes. */
  readonly cost: number
}

/** The users of a password file; at least one. */
export interface Users {
  readonly passwords: ReadonlyMap<string, StoredPassword>
  readonly highestCost: number
}

/** What is wrong with a password file; what to write. Nothing of the file is quoted. */
export interface PasswordFileProblem {
  /** Counted from 1; absent when it is about the file as a whole. */
  readonly line?: number
  readonly message: string
}

export type ParsedPasswordFile =
  | { readonly ok: true, readonly users: Users }
  | { readonly ok: false, readonly problems: readonly PasswordFileProblem[] }

/** bcrypt(3) of OpenBSD takes 4 at least. */
const lowestCost = 4
/**
 * One check of this cost takes a processor about a second (2^14 rounds, at 56 µs each), and two are made at a time:
 * with more, a gateway that starts again would keep its clients waiting until they give up.
 */
export const maxCost = 14
/** As htpasswd has it. */
const maxNameBytes = 255

const advice = 'make the line with htpasswd -B -C 10 FILE USER'

/**
 * Reads the text of a password file as Apache's htpasswd writes it: `USER:HASH` a line, blank lines and lines with #
 * in front left out, white space around a line dropped, and what follows a second colon left to people. Other than
 * for Apache, a hash that is not of bcrypt, or a user given twice, is a mistake and not passed over.
 */
export function parsePasswordFile (text: string): ParsedPasswordFile {
  const passwords = new Map<string, StoredPassword>()
  const firstLines = new Map<string, number>()
  const problems: PasswordFileProblem[] = []
  for (const [index, whole] of text.split('\n').entries()) {
    const content = whole.trim()
    if (content === '' || content.startsWith('#')) continue
    const line = index + 1
    const read = readLine(content, firstLines)
    if (typeof read === 'string') {
      problems.push({ line, message: read })
    } else {
      firstLines.set(read.name, line)
      if (typeof read.password === 'string') problems.push({ line, message: read.password })
      else passwords.set(read.name, Object.freeze(read.password))
    }
  }
  if (firstLines.size === 0 && problems.length === 0) {
    problems.push({ message: `there is no user in the file; ${advice}, or drop clients.passwordFile to ask for no password` })
  }
  if (problems.length > 0) return { ok: false, problems }
  const highestCost = Math.max(...[...passwords.values()].map(({ cost }) => cost))
  return { ok: true, users: Object.freeze({ passwords, highestCost }) }
}

/** A line's user, with the password or what is wrong with it; or what is wrong with the line. */
function readLine (
  line: string, firstLines: ReadonlyMap<string, number>,
): { readonly name: string, readonly password: StoredPassword | string } | string {
  const colon = line.indexOf(':')
  if (colon === -1) return `the line has no colon; ${advice}, or put # in front of a remark`
  const name = line.slice(0, colon)
  const problem = findNameProblem(name)
  if (problem !== undefined) return problem
  const first = firstLines.get(name)
  if (first !== undefined) return `the user is given twice, first on line ${first}; drop one of the two lines`
  const [hash = ''] = line.slice(colon + 1).split(':')
  return { name, password: readHash(hash) }
}

function findNameProblem (name: string): string | undefined {
  if (name === '') return `there is no user name in front of the colon; ${advice}`
  // RFC 7617 section 2.
  // eslint-disable-next-line no-control-regex -- these are what it is about
  if (/[\x00-\x1f\x7f]/.test(name)) return 'the user name holds a control character, which no client may send; choose another name'
  if (Buffer.byteLength(name) > maxNameBytes) return `the user name is over ${maxNameBytes} bytes; choose a shorter one`
  return undefined
}

/** 16 bytes of salt and 23 of the hash, each in base64 of a kind, whose last characters have bits to spare: all 0. */
const bcryptHash = /^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]$/

/**
 * `$2y$`, which htpasswd and PHP write, `$2a$` and `$2b$` are the same for passwords of up to 72 bytes, and longer ones
 * are never checked.
 */
function readHash (hash: string): StoredPassword | string {
  if (hash === '') return `the user has no password; ${advice}`
  // The first two had mistakes that made different passwords alike.
  if (/^\$2x?\$/.test(hash)) return `the hash is of a bcrypt with a known mistake; ${advice}`
  if (!/^\$2[aby]\$/.test(hash)) return `the password is not hashed by bcrypt; ${advice}`
  const cost = Number(bcryptHash.exec(hash)?.[1])
  if (!(cost >= lowestCost)) return `the bcrypt hash is damaged; ${advice}`
  if (cost > maxCost) {
    return `the cost of the hash is ${cost}, and each check would keep a processor busy for seconds; take ${maxCost} at most: ${advice}`
  }
  return { hash: `$2b$${hash.slice(4)}`, cost }
}
