import type { Logger } from 'pino'
import { makePrintable } from '../net/printable.ts'
import type { Reason, Refusal } from '../refusal/reasons.ts'
import type { Sight, Sightings } from '../sightings/sightings.ts'
import type { LiveBytes, Metrics, TunnelLabels } from './metrics.ts'

/**
 * The story of one request, from its head to its end. Exactly one of `refused`, `ended` and `abandoned` closes it: that
 * writes the one log line and moves the metrics. What comes after that is ignored.
 */
export interface TunnelRecord {
  readonly id: string
  readonly client: string
  /** As asked until it is judged, with what is not printable ASCII escaped; canonical from then on. */
  readonly target: string
  readonly labels: TunnelLabels | undefined
  /** Where it goes to, once there is a connection. */
  readonly upstream: Upstream | undefined
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** The client has shown to be this user. */
  authenticated (user: string): void
  /** The target was judged: its canonical form if it has one, and the rule that lets it through if there is one. */
  judged (judgement: Judgement): void
  /** There is a connection to the upstream, and the client is told so: the 200 goes out. */
  answered (upstream: Upstream): void
  /** Bytes are carried from here on, and move `bytes`; `reported` is what they would be refused for elsewhere. */
  established (bytes: LiveBytes, reported?: Pick<Refusal, 'reason'>): void
  ended (outcome: string): void
  refused (refusal: Refusal, cause?: unknown): void
  /** The client went before it was answered. */
  abandoned (): void
}

/** Where a tunnel goes to. */
export interface Upstream {
  /**
   * The address that was checked, with its port: the one that is dialled, or that the parent proxy is asked for. Absent
   * where the parent resolves the name, and so no address is checked.
   */
  readonly address?: string
  /** The address of the parent proxy that is dialled, with its port. */
  readonly parent?: string
  /** With a parent proxy: who resolves the name. */
  readonly resolvedBy?: 'gateway' | 'parent'
  /** The service tag that holds the address, and the prefix of it, where tags were looked at. */
  readonly tag?: string
  readonly prefix?: string
  /** Why the address would have been refused, where that is only reported. */
  readonly wouldRefuse?: Reason
}

/** What a decision on a target says of it. */
export interface Judgement {
  readonly authority?: { readonly host: string, readonly port: number }
  readonly rule?: TunnelLabels
  /** Why the host would have been refused, where that is only reported. */
  readonly reported?: Pick<Refusal, 'reason'>
}

/** A refusal as the status page shows it. */
export interface RecentRefusal {
  readonly time: string
  readonly reason: Reason
  readonly client: string
  readonly target: string
  readonly detail: string
  readonly hint: string
}

/** Opens the records. */
export interface TunnelLog {
  /** `clientCertificate` is the subject of a certificate that was verified, one line of printable ASCII. */
  open (client: string, target: string, clientCertificate?: string): TunnelRecord
  /** The last few refusals, newest first. */
  readonly recentRefusals: readonly RecentRefusal[]
}

export interface TunnelLogOptions {
  readonly logger: Logger
  readonly metrics: Metrics
  /** Remembers by name what the metrics must not. */
  readonly sightings?: Pick<Sightings, 'opened' | 'refused'>
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

const recentRefusalsKept = 20
// A host name has 253 characters at most; what is longer in a target is no use to anybody.
const maxTargetLength = 300
// As long as a password file has them, at most.
const maxUserLength = 255
// How grave a refusal is; a warning unless told. Most clients ask without a password first, and with it then.
const levels: Partial<Record<Reason, 'error' | 'info'>> = { internal: 'error', proxy_auth_required: 'info' }

/** Creates the log; it holds nothing that needs closing. */
export function createTunnelLog ({ logger, metrics, sightings, now = Date.now }: TunnelLogOptions): TunnelLog {
  const recentRefusals: RecentRefusal[] = []
  // Unique across restarts for anybody who searches a log, and cheap to make.
  const run = now().toString(36)
  let opened = 0

  function keepRefusal ({ client, target }: TunnelRecord, { reason, detail, hint }: Refusal): void {
    metrics.refused(reason)
    // One for each connection of some clients: nobody would see the others for them.
    if (reason === 'proxy_auth_required') return
    recentRefusals.unshift({ time: new Date(now()).toISOString(), reason, client, target, detail, hint })
    recentRefusals.length = Math.min(recentRefusals.length, recentRefusalsKept)
  }

  function open (client: string, askedTarget: string, clientCertificate?: string): TunnelRecord {
    const startedAt = now()
    let answeredAt = startedAt
    let closedAt = startedAt
    let bytes: LiveBytes | undefined
    let upstream: Upstream | undefined
    let wouldRefuse: Reason | undefined
    let countEnd: ReturnType<Metrics['tunnelOpened']> | undefined
    let seeEnd: ReturnType<Sightings['opened']>
    let user: string | undefined
    /** The host, once it is known to be one. */
    let host: string | undefined
    let isOpen = true

    const record = {
      id: `${run}-${(++opened).toString(36)}`,
      client,
      target: makePrintable(askedTarget.slice(0, maxTargetLength)),
      labels: undefined as TunnelLabels | undefined,
      get upstream () { return upstream },
      startedAt,

      authenticated (known: string): void {
        user = makePrintable(known.slice(0, maxUserLength))
      },

      judged ({ authority, rule, reported }: Judgement): void {
        if (authority !== undefined) record.target = `${authority.host}:${authority.port}`
        host = authority?.host
        if (rule !== undefined) record.labels = { registry: rule.registry, class: rule.class, region: rule.region }
        wouldRefuse = reported?.reason
      },

      answered (reached: Upstream): void {
        upstream = reached
        wouldRefuse ??= reached.wouldRefuse
        answeredAt = now()
      },

      established (moving: LiveBytes, reported?: Pick<Refusal, 'reason'>): void {
        wouldRefuse ??= reported?.reason
        if (wouldRefuse !== undefined) metrics.wouldRefuse(wouldRefuse)
        if (host !== undefined) seeEnd = sightings?.opened(describeSight(host))
        bytes = moving
        if (record.labels !== undefined) {
          countEnd = metrics.tunnelOpened(record.labels, moving, (answeredAt - startedAt) / 1000)
        }
      },

      ended (outcome: string): void {
        if (close(outcome)) logger.info({ ...story(), end: outcome }, 'tunnel_ended')
      },

      refused (refusal: Refusal, cause?: unknown): void {
        if (!close(refusal.reason)) return
        keepRefusal(record, refusal)
        if (host !== undefined && bytes === undefined) sightings?.refused(describeSight(host), refusal.reason)
        const level = levels[refusal.reason] ?? 'warn'
        const fields = { ...story(), reason: refusal.reason, detail: refusal.detail }
        logger[level](cause === undefined ? fields : { ...fields, err: cause }, 'tunnel_refused')
      },

      abandoned (): void {
        if (close('client_gone')) logger.info({ ...story(), end: 'client_gone' }, 'tunnel_abandoned')
      },
    }

    /** Whatever closes the record, a tunnel that was open has ended. */
    function close (outcome: string): boolean {
      if (!isOpen) return false
      isOpen = false
      closedAt = now()
      countEnd?.({ outcome, durationSeconds: (closedAt - answeredAt) / 1000 })
      seeEnd?.(bytes?.fromUpstream ?? 0)
      return true
    }

    function describeSight (seen: string): Sight {
      return { client, host: seen, labels: record.labels, wouldRefuse }
    }

    function story (): object {
      return {
        tunnelId: record.id,
        client,
        user,
        clientCertificate,
        target: record.target,
        ...record.labels,
        ...upstream,
        wouldRefuse,
        setupMs: (upstream === undefined ? closedAt : answeredAt) - startedAt,
        durationMs: upstream === undefined ? undefined : closedAt - answeredAt,
        bytesFromClient: bytes?.fromClient,
        bytesFromUpstream: bytes?.fromUpstream,
      }
    }

    return record
  }

  return { open, recentRefusals }
}
