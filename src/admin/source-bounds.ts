import type { AdminSources } from './views.ts'

/** A source did not answer in time. */
export class SourceTimeoutError extends Error {
  override readonly name = 'SourceTimeoutError'
}

/**
 * The same sources, whose promises reject with `SourceTimeoutError` once they have taken so long. Whoever waits is
 * answered once, by that; what comes late, good or bad, is dropped.
 */
export function boundSources (sources: AdminSources, timeoutMs: number): AdminSources {
  return {
    ...sources,
    metrics: async () => await within(timeoutMs, sources.metrics()),
    readiness: async () => await within(timeoutMs, sources.readiness()),
    migration: async () => await within(timeoutMs, sources.migration()),
    explain: async (target) => await within(timeoutMs, sources.explain(target)),
  }
}

async function within<T> (timeoutMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    // Not what keeps a process alive that has closed everything else.
    timer = setTimeout(() => reject(new SourceTimeoutError()), timeoutMs).unref()
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
