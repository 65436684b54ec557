import type { Reason, Refusal } from '../refusal/reasons.ts'

/** What is tried, in the order of a pull; docs/doctor.md has a section for each. `endpoint` is beside the path. */
export const stepNames = [
  'configuration', 'name', 'address', 'tcp', 'proxy', 'tls', 'challenge', 'token', 'manifest', 'link', 'layer', 'endpoint',
] as const

export type StepName = typeof stepNames[number]

/** How a step ended. `skipped`: not tried, because it is not to be, or because an earlier one failed. */
export const stepStatuses = ['passed', 'warned', 'failed', 'skipped'] as const

export type StepStatus = typeof stepStatuses[number]

/** A step that is over; a JSON value. Its texts may hold bytes from outside: whoever shows them escapes them. */
export interface Step {
  /** The login server of the registry that it was for; '' for none. */
  readonly registry: string
  /** Whom it was about; '' when that is not known. */
  readonly host: string
  readonly step: StepName
  readonly status: StepStatus
  readonly ms: number
  /** What was found, in half a sentence. */
  readonly found: string
  /** What to do, in whole sentences; present when it failed or warned. */
  readonly toDo?: string
  /** The word of docs/refusals.md, when the gateway refuses this or would. */
  readonly reason?: Reason
}

/** What is wrong, and what to do. */
export type Advice = Required<Pick<Step, 'found' | 'toDo'>> & Pick<Step, 'reason'>

/** A step found what it was for, or with `toDo` found something beside it that a person should know. */
export interface Outcome<Value> {
  readonly value: Value
  readonly found: string
  readonly toDo?: string
}

/** A step did not find what it was for. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure'
  readonly advice: Advice

  constructor (found: string, toDo: string, reason?: Reason) {
    super(found)
    this.advice = { found, toDo, ...reason === undefined ? {} : { reason } }
  }
}

/** The failure of a step for which the gateway refuses a tunnel, in its words. */
export function failByRefusal ({ reason, detail, hint }: Refusal): StepFailure {
  return new StepFailure(`${reason}: ${detail}`, hint, reason)
}
