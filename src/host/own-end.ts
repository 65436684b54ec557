import { networkInterfaces } from 'node:os'

/** Where a process listens: what is connected there comes back to it. */
export interface OwnEnd {
  /** From now on it listens here; `0.0.0.0` and `::` stand for every address of the host. */
  listenAt (bound: { readonly address: string, readonly port: number }): void
  /** Whether a connection to this address and port would come back. Addresses in canonical form. */
  leadsBack (address: string, port: number): boolean
}

// Addresses come and go with leases and failovers, and the system is asked for them at each tunnel otherwise.
const keptMs = 10_000

/** Nothing leads back before `listenAt`. */
export function createOwnEnd (now: () => number = performance.now.bind(performance)): OwnEnd {
  let bound = { address: '', port: 0 }
  let known: ReadonlySet<string> = new Set()
  let knownAt = -Infinity

  function listOwn (): ReadonlySet<string> {
    if (now() - knownAt > keptMs) {
      known = new Set(Object.values(networkInterfaces()).flatMap((list = []) => list.map(({ address }) => address)))
      knownAt = now()
    }
    return known
  }

  return {
    listenAt: (end) => { bound = end },
    leadsBack (address, port) {
      if (port !== bound.port) return false
      if (bound.address !== '0.0.0.0' && bound.address !== '::') return address === bound.address
      // All of 127.0.0.0/8 is the host's, though one address of it is listed.
      return address.startsWith('127.') || listOwn().has(address)
    },
  }
}
