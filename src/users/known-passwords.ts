import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Credentials } from './basic-credentials.ts'
import type { StoredPassword } from './password-file.ts'

/** Passwords that were right a little while ago, without the passwords. */
export interface KnownPasswords {
  /**
   * What stands for credentials here: another one for each user, password and stored hash, so that a new hash in the
   * file makes unknown what was known.
   */
  makeCode (credentials: Credentials, stored: StoredPassword | undefined): string
  remember (source: string, code: string): void
  isKnown (code: string): boolean
  /** Whether it is known from this source. */
  isKnownAt (source: string, code: string): boolean
}

// From the last use on, in milliseconds: a pull lasts for minutes.
const knownForMs = 600_000
// One for each user of the longest file, and some addresses for each.
const maxKnown = 65_536

/** Nothing is known yet. Bounded, and holds nothing that needs closing; `now` is milliseconds on any steady clock. */
export function createKnownPasswords (now: () => number): KnownPasswords {
  // A key that this process alone has, and forgets: with the codes alone nobody can try passwords.
  const secret = createSecretKey(randomBytes(32))
  const options = { max: maxKnown, ttl: knownForMs, updateAgeOnGet: true, ttlResolution: 0, perf: { now } }
  const codes = new LRUCache<string, true>(options)
  const places = new LRUCache<string, true>(options)

  return {
    // Credentials hold no control characters, so that no others make the same text.
    makeCode: ({ user, password }, stored) => {
      return createHmac('sha256', secret).update([user, password, stored?.hash ?? ''].join('\0')).digest('base64')
    },
    remember (source, code) {
      codes.set(code, true)
      places.set(`${source} ${code}`, true)
    },
    isKnown: (code) => codes.get(code) === true,
    isKnownAt: (source, code) => places.get(`${source} ${code}`) === true,
  }
}
