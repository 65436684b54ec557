import type { Address } from '../net/address.ts'
import { clientKey } from '../net/client-key.ts'
import { type CutSignal, unlessAborted } from '../net/cut-signal.ts'
import { type Denied, deny } from '../refusal/reasons.ts'
import { type Credentials, parseBasicCredentials } from './basic-credentials.ts'
import type { Compare } from './bcrypt-comparison.ts'
import { createFailureLimit } from './failure-limit.ts'
import { createFairLine } from './fair-line.ts'
import { createKnownPasswords } from './known-passwords.ts'
import type { StoredPassword, Users } from './password-file.ts'
import { refuseAttempts, refuseUnclear, refuseWaiting, refuseWithout, refuseWrong } from './password-refusals.ts'

/** Who it is; or why nobody can tell. */
export type UserDecision = { readonly allow: true, readonly user: string } | Denied

/** Decides who a client is by its user name and password. */
export interface PasswordCheck {
  /**
   * Decides by the value of `Proxy-Authorization`, if there was one. When the signal is aborted before it is known,
   * that is a denial. Rejects only when bcrypt itself fails.
   */
  decide (client: Address, authorization: string | undefined, signal?: CutSignal): Promise<UserDecision>
  /** What waits is denied, and nothing new is checked. */
  close (): void
}

export interface PasswordCheckOptions {
  /** The users in force now. */
  readonly users: () => Users
  readonly compare: Compare
  /** Milliseconds on any steady clock. */
  readonly now?: () => number
}

/** What bcrypt looks at; the rest of a longer password would not count, and its owner would not know. */
const maxPasswordBytes = 72

// bcrypt runs on the four threads that libuv has, for files among others; two are left to those.
const lineBounds = { maxRunning: 2, maxWaiting: 1024, maxWaitingPerSource: 16 }

/** Credentials from an address, and what they are held against. */
interface Attempt extends Credentials {
  readonly source: string
  /** What stands for them among the known ones. */
  readonly code: string
  /** Absent for a user that nobody knows. */
  readonly stored: StoredPassword | undefined
  readonly highestCost: number
}

/** Credentials that can be checked, or why they cannot be. */
type ReadAttempt =
  | { readonly ok: true, readonly attempt: Attempt }
  | { readonly ok: false, readonly problem: string }

/** A password in the line or at work, and for whom. */
interface SharedCheck {
  readonly decision: Promise<UserDecision>
  readonly signals: Array<CutSignal | undefined>
}

/**
 * bcrypt is paid once for a password, which is known for a while then, and not for each tunnel. Whoever was let in at
 * an address stays in, whatever others do there: that is looked at first. Then an address that fails too often has to
 * wait. What was right elsewhere comes after that, or whoever has to wait could guess on. No user is ever locked out,
 * since others could lock them out. Passwords are not kept. The caller closes it.
 */
export function createPasswordCheck (options: PasswordCheckOptions): PasswordCheck {
  const { users, compare, now = () => performance.now() } = options
  const failures = createFailureLimit({ now })
  const known = createKnownPasswords(now)
  const line = createFairLine(lineBounds)
  /** By source and code: who brings the same waits for the same. */
  const running = new Map<string, SharedCheck>()
  let isClosed = false

  function readAttempt (source: string, authorization: string): ReadAttempt {
    const read = parseBasicCredentials(authorization)
    if (!read.ok) return read
    const { credentials } = read
    if (Buffer.byteLength(credentials.password) > maxPasswordBytes) {
      return { ok: false, problem: `the password is over ${maxPasswordBytes} bytes` }
    }
    const { passwords, highestCost } = users()
    const stored = passwords.get(credentials.user)
    const code = known.makeCode(credentials, stored)
    return { ok: true, attempt: { ...credentials, source, code, stored, highestCost } }
  }

  function findDenial ({ text }: Address, source: string): Denied | undefined {
    const waitSeconds = failures.findWait(source)
    return waitSeconds === undefined ? undefined : deny(refuseAttempts(text, waitSeconds))
  }

  function admit ({ source, code, user }: Attempt): UserDecision {
    known.remember(source, code)
    return { allow: true, user }
  }

  async function compareNow (attempt: Attempt): Promise<UserDecision> {
    if (await isRight(attempt, compare)) return admit(attempt)
    failures.countFailure(attempt.source)
    return deny(refuseWrong())
  }

  /** The decision when its turn has come; `undefined` when the line is full. */
  function joinLine (
    client: Address, attempt: Attempt, signal: CutSignal | undefined,
  ): Promise<UserDecision> | undefined {
    const { source, code } = attempt
    const key = `${source} ${code}`
    const shared = running.get(key)
    if (shared !== undefined) {
      shared.signals.push(signal)
      return shared.decision
    }
    const signals = [signal]
    const decision = line.run(source, async () => {
      // What came about in the meantime counts.
      const denial = findDenial(client, source)
      if (denial !== undefined) return denial
      if (known.isKnown(code)) return admit(attempt)
      if (isClosed || signals.every((one) => one?.aborted === true)) return deny(refuseWaiting())
      return await compareNow(attempt)
    })?.finally(() => { running.delete(key) })
    if (decision !== undefined) running.set(key, { decision, signals })
    return decision
  }

  return {
    async decide (client, authorization, signal) {
      if (authorization === undefined) return deny(refuseWithout())
      const source = clientKey(client)
      const read = readAttempt(source, authorization)
      if (read.ok && known.isKnownAt(source, read.attempt.code)) return admit(read.attempt)
      const denial = findDenial(client, source)
      if (denial !== undefined) return denial
      if (!read.ok) {
        failures.countFailure(source)
        return deny(refuseUnclear(read.problem))
      }
      const { attempt } = read
      if (known.isKnown(attempt.code)) return admit(attempt)
      const decision = joinLine(client, attempt, signal)
      return (decision === undefined ? undefined : await unlessAborted(decision, signal)) ?? deny(refuseWaiting())
    },
    close: () => { isClosed = true },
  }
}

/**
 * Whether the password is the one that is stored. Each wrong one takes 2^highestCost rounds: also for a user that
 * nobody knows, and for one whose own hash takes 2^c only, and then 2^c + 2^(c+1) + ... + 2^(highestCost-1) for
 * nothing. What is left is what starting each of these takes, some 0.05 ms.
 */
async function isRight ({ password, stored, highestCost }: Attempt, compare: Compare): Promise<boolean> {
  if (stored === undefined) {
    await compare(password, makeDecoy(highestCost))
    return false
  }
  if (await compare(password, stored.hash)) return true
  for (let cost = stored.cost; cost < highestCost; cost++) await compare(password, makeDecoy(cost))
  return false
}

/** A hash that takes the time of its cost, and that no password is known to have. */
function makeDecoy (cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(53)}`
}
