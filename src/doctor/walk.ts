import { type Advice, type Outcome, type Step, StepFailure, type StepName } from './step.ts'

/** What is to come. */
export interface PlannedStep {
  readonly step: StepName
  readonly host: string
}

/** One step, and how to take it. */
export interface Attempt<Value> extends PlannedStep {
  /** What is said when the time is up. */
  readonly late: Advice
  /** How many times the usual limit it may take; 1 when absent. */
  readonly patience?: number
  /** Rejects when the signal is aborted, leaving nothing open; with `StepFailure` for what it is there to find. */
  readonly take: (signal: AbortSignal) => Promise<Outcome<Value>>
}

/** The steps of one registry, one after the other, each reported when it is over. */
export interface Walk {
  /** Puts steps in front of those that are planned: should one before them fail, they are reported as skipped. */
  plan (steps: readonly PlannedStep[]): void
  /** Takes a step within its time. Rejects when it failed, which ends the chain, or when all is to stop. */
  take<Value> (attempt: Attempt<Value>): Promise<Value>
  /** Reports a step that is not to be taken. */
  skip (step: PlannedStep, found: string): void
  /** Runs a chain of steps to its end, or to the first that fails: gives that, and reports the rest as skipped. */
  run (chain: () => Promise<void>): Promise<StepName | undefined>
}

export interface WalkOptions {
  readonly registry: string
  /** Ends the walk. */
  readonly stop: AbortSignal
  readonly stepTimeoutMs: number
  readonly onStart: (step: PlannedStep) => void
  readonly onStep: (step: Step) => void
}

/** The walk is to stop where it is; its step has been reported as skipped. */
export class WalkStopped extends Error {
  override readonly name = 'WalkStopped'
}

/** Begins the walk of one registry; it holds nothing open between two steps. */
export function createWalk ({ registry, stop, stepTimeoutMs, onStart, onStep }: WalkOptions): Walk {
  let planned: PlannedStep[] = []

  function skip ({ step, host }: PlannedStep, found: string, ms = 0): void {
    forget(step)
    onStep({ registry, host, step, status: 'skipped', ms, found })
  }

  function forget (step: StepName): void {
    const index = planned.findIndex((one) => one.step === step)
    if (index !== -1) planned.splice(index, 1)
  }

  return {
    plan (steps) { planned = [...steps, ...planned] },
    skip,

    async take ({ step, host, late, patience = 1, take }) {
      forget(step)
      onStart({ step, host })
      const limitMs = patience * stepTimeoutMs
      const startedAt = performance.now()
      const elapsedMs = (): number => Math.round(performance.now() - startedAt)
      try {
        const { value, found, toDo } = await withinTime(take, stop, limitMs)
        const status = toDo === undefined ? 'passed' : 'warned'
        onStep({ registry, host, step, status, ms: elapsedMs(), found, ...toDo === undefined ? {} : { toDo } })
        return value
      } catch (error) {
        if (stop.aborted) {
          skip({ step, host }, 'interrupted', elapsedMs())
          throw new WalkStopped()
        }
        const advice = error instanceof StepTimeout ? addLimit(late, limitMs) : adviceOf(error)
        if (advice === undefined) throw error
        onStep({ registry, host, step, status: 'failed', ms: elapsedMs(), ...advice })
        throw new ChainBroken(step)
      }
    },

    async run (chain) {
      try {
        await chain()
        return undefined
      } catch (error) {
        if (!(error instanceof ChainBroken)) throw error
        for (const step of [...planned]) skip(step, describeSkipped(error.step))
        return error.step
      }
    },
  }
}

/** Why a step that comes after a failed one is not taken. */
export function describeSkipped (failed: StepName): string {
  return `not tried, because ${failed} failed`
}

/** A step failed and has been reported. */
class ChainBroken extends Error {
  override readonly name = 'ChainBroken'
  readonly step: StepName

  constructor (step: StepName) {
    super(step)
    this.step = step
  }
}

class StepTimeout extends Error {
  override readonly name = 'StepTimeout'
}

/** Rejects with `StepTimeout` when it was the limit that ended it. */
async function withinTime<Value> (
  take: (signal: AbortSignal) => Promise<Value>, stop: AbortSignal, limitMs: number,
): Promise<Value> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(new StepTimeout()), limitMs)
  const onStop = (): void => controller.abort(stop.reason)
  stop.addEventListener('abort', onStop)
  if (stop.aborted) onStop()
  try {
    controller.signal.throwIfAborted()
    return await take(controller.signal)
  } catch (error) {
    controller.signal.throwIfAborted()
    throw error
  } finally {
    clearTimeout(timer)
    stop.removeEventListener('abort', onStop)
  }
}

function addLimit ({ found, ...rest }: Advice, limitMs: number): Advice {
  return { found: `${found} within ${limitMs / 1000} s`, ...rest }
}

function adviceOf (error: unknown): Advice | undefined {
  return error instanceof StepFailure ? error.advice : undefined
}
