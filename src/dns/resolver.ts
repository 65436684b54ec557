import { Resolver as CaresResolver } from 'node:dns/promises'
import { type Address, parseAddress } from '../net/address.ts'
import type { HostName } from '../net/host-name.ts'

/** How one question to the name servers ended; a closed list, and a metric label. */
export const queryOutcomes = [
  'answered', 'no_such_name', 'no_addresses', 'server_failure', 'refused', 'timeout', 'failed',
] as const

export type QueryOutcome = typeof queryOutcomes[number]

/** What the name servers said, or that they did not; a value either way, because both are cached. */
export interface Answer {
  readonly outcome: QueryOutcome
  /** Empty unless `answered`. */
  readonly addresses: readonly Address[]
  /** The shortest time to live on the way to the addresses, aliases included; 0 unless `answered`. */
  readonly ttlMs: number
}

/** Asks the name servers; no cache, no search domains, no hosts file. */
export interface Resolver {
  /** The servers in use, as `IP:PORT` where the port is not 53. */
  readonly servers: readonly string[]
  /** Asks for the A (4) or AAAA (6) records of a name. Never rejects. */
  resolve (name: HostName, family: 4 | 6): Promise<Answer>
  /** Ends every question under way; they answer `failed`. */
  close (): void
}

export interface ResolverOptions {
  /** As `IP`, `IP:PORT` or `[IPv6]:PORT`; absent: the servers of the system. */
  readonly servers?: readonly string[]
  /** How long one server may take for one try, in milliseconds. */
  readonly timeoutMs: number
}

// One lost datagram must not fail a pull; a third try would only eat into the time there is for the connection.
const triesPerServer = 2

/**
 * A resolver on c-ares (`node:dns`), which changes to TCP when an answer is cut, and asks the next server when one is
 * silent or not there; a bad answer, SERVFAIL too, is an answer.
 */
export function createResolver ({ servers, timeoutMs }: ResolverOptions): Resolver {
  const resolver = new CaresResolver({ timeout: timeoutMs, tries: triesPerServer })
  if (servers !== undefined) resolver.setServers(servers)

  return {
    servers: resolver.getServers(),

    async resolve (name, family) {
      try {
        const records = family === 4
          ? await resolver.resolve4(name, { ttl: true })
          : await resolver.resolve6(name, { ttl: true })
        return answerOf(records)
      } catch (error) {
        return unanswered(outcomeOf(error))
      }
    },

    close: () => resolver.cancel(),
  }
}

function answerOf (records: ReadonlyArray<{ address: string, ttl: number }>): Answer {
  const addresses = records.map(({ address }) => parseAddress(address)).filter((address) => address !== undefined)
  if (addresses.length === 0) return unanswered('no_addresses')
  return { outcome: 'answered', addresses, ttlMs: 1000 * Math.min(...records.map(({ ttl }) => ttl)) }
}

function unanswered (outcome: QueryOutcome): Answer {
  return { outcome, addresses: [], ttlMs: 0 }
}

const outcomes: Readonly<Record<string, QueryOutcome>> = {
  ENOTFOUND: 'no_such_name',
  ENODATA: 'no_addresses',
  ESERVFAIL: 'server_failure',
  EREFUSED: 'refused',
  ECONNREFUSED: 'refused',
  ETIMEOUT: 'timeout',
}

function outcomeOf (error: unknown): QueryOutcome {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return outcomes[code] ?? 'failed'
}
