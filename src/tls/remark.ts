/** Something about the listener's files that a person should know: a problem or a warning, by the list it stands in. */
export interface TlsRemark {
  /** Below `listen.tls`: `certFile`, or `furtherCertificates`, 0, `keyFile`. */
  readonly path: ReadonlyArray<string | number>
  /** What is wrong; what to do. It may hold what a file held, so that it is not yet fit for a terminal. */
  readonly message: string
}

/** From when to when something counts, in milliseconds since the epoch. */
export interface Validity {
  readonly from: number
  readonly to: number
}

const dayMs = 86_400_000
const soonDays = 30

/** What there is to say of dates: that they are over, not yet begun, or soon over. */
export function describeValidity (what: string, { from, to }: Validity, now: number): string | undefined {
  const replace = 'put a new one in its place'
  if (now >= to) return `${what} expired on ${formatDay(to)}; ${replace}`
  if (now < from) return `${what} is not valid before ${new Date(from).toISOString()}; see that the clock is right`
  const days = Math.floor((to - now) / dayMs)
  return days < soonDays ? `${what} expires on ${formatDay(to)}, in ${days} days; ${replace}` : undefined
}

/** `2027-01-31`, in UTC. */
export function formatDay (time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}
