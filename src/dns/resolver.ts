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

/** Whether the name servers have said how it is; otherwise they have failed. */
export function isDefinite ({ outcome }: Answer): boolean {
  return outcome === 'answered' || outcome === 'no_such_name' || outcome === 'no_addresses'
}

/** Asks the name servers; no cache, no search domains, no hosts file. */
export interface Resolver {
  /** The servers in use now, as `IP:PORT` where the port is not 53, in the order they are asked in. */
  readonly servers: readonly string[]
  /** Asks for the A (4) or AAAA (6) records of a name. Never rejects. */
  resolve (name: HostName, family: 4 | 6): Promise<Answer>
  /** Ends every question under way; they answer `failed`. */
  close (): void
}

export interface ResolverOptions {
  /** As `IP`, `IP:PORT` or `[IPv6]:PORT`; absent: the servers of the system. */
  readonly servers?: readonly string[]
  /** How long one server may take for one question, in milliseconds. */
  readonly timeoutMs: number
  /** The servers of the system now, in place of those of /etc/resolv.conf. */
  readonly listSystemServers?: () => readonly string[]
}

// One lost datagram must not fail a pull; a third round would only eat into the time there is for the connection.
const rounds = 2
// A registry has a handful of addresses; TCP would carry 4,000.
const maxAddresses = 256

/**
 * A resolver on c-ares (`node:dns`), which changes to TCP when an answer is cut. The server that answered last is asked
 * first. When a server is silent, is not there, or has failed itself (SERVFAIL, REFUSED), the next one is asked; those
 * that were silent are asked once more. That a name does not exist, or has no address, is an answer. When all servers
 * of the system have failed, it is seen whether the system has others by now.
 */
export function createResolver (options: ResolverOptions): Resolver {
  const { servers, timeoutMs, listSystemServers = readSystemServers } = options
  let channels = createChannels(servers ?? listSystemServers(), timeoutMs)
  let isClosed = false

  async function ask (name: HostName, family: 4 | 6): Promise<Answer> {
    const heard: Answer[] = []
    let asked = channels
    for (let round = 0; round < rounds && asked.length > 0; round++) {
      const silent: Channel[] = []
      for (const channel of asked) {
        const answer = await askOne(channel, name, family)
        if (isDefinite(answer)) {
          if (channels.includes(channel)) channels = [channel, ...channels.filter((other) => other !== channel)]
          return answer
        }
        heard.push(answer)
        if (isClosed) return answer
        if (answer.outcome === 'timeout') silent.push(channel)
      }
      asked = silent
    }
    return worstOf(heard)
  }

  /** The machine may have other servers than at the start: DHCP was late, or has brought new ones. */
  function lookForServers (): void {
    const found = listSystemServers()
    if (isClosed || sameServers(found, channels)) return
    for (const channel of channels) channel.resolver.cancel()
    channels = createChannels(found, timeoutMs)
  }

  return {
    get servers () { return channels.map(({ server }) => server) },

    async resolve (name, family) {
      const answer = await ask(name, family)
      if (servers === undefined && !isDefinite(answer)) lookForServers()
      return answer
    },

    close () {
      isClosed = true
      for (const channel of channels) channel.resolver.cancel()
    },
  }
}

/** One server, asked by itself. */
interface Channel {
  /** As `setServers` takes it. */
  readonly server: string
  readonly resolver: CaresResolver
}

function createChannels (servers: readonly string[], timeoutMs: number): readonly Channel[] {
  return [...new Set(servers)].map((server) => {
    const resolver = new CaresResolver({ timeout: timeoutMs, tries: 1 })
    resolver.setServers([server])
    return { server, resolver }
  })
}

/** From /etc/resolv.conf as it is now. */
function readSystemServers (): readonly string[] {
  return new CaresResolver().getServers()
}

function sameServers (servers: readonly string[], channels: readonly Channel[]): boolean {
  const known = new Set(channels.map(({ server }) => server))
  return servers.length === known.size && servers.every((server) => known.has(server))
}

async function askOne ({ resolver }: Channel, name: HostName, family: 4 | 6): Promise<Answer> {
  try {
    const records = family === 4
      ? await resolver.resolve4(name, { ttl: true })
      : await resolver.resolve6(name, { ttl: true })
    return answerOf(records)
  } catch (error) {
    return unanswered(outcomeOf(error))
  }
}

// What a server said is more use to a person than that another one said nothing.
const failuresByWeight = ['server_failure', 'refused', 'timeout'] as const

function worstOf (failures: readonly Answer[]): Answer {
  const outcome = failuresByWeight.find((word) => failures.some((answer) => answer.outcome === word))
  return unanswered(outcome ?? 'failed')
}

function answerOf (records: ReadonlyArray<{ address: string, ttl: number }>): Answer {
  const addresses = records.map(({ address }) => parseAddress(address)).filter((address) => address !== undefined)
  if (addresses.length === 0) return unanswered('no_addresses')
  return { outcome: 'answered', addresses: addresses.slice(0, maxAddresses), ttlMs: 1000 * Math.min(...records.map(({ ttl }) => ttl)) }
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
