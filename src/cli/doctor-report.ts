import { type Problem, escapeControls } from '../config/problem.ts'
import type { Step } from '../doctor/step.ts'
import type { PlannedStep } from '../doctor/walk.ts'
import { type ProxyUrl, describeProxyUrl } from '../net/proxy-url.ts'
import type { Terminal } from './command.ts'

/** Shows the steps of a diagnosis: each as a line when it is over, or all as one document at the end. */
export interface Report {
  /** The step that is over before the walk begins. */
  configured (source: string, ms: number): void
  readonly onStart: (step: PlannedStep) => void
  readonly onStep: (step: Step) => void
  /** Writes what is to be said of the whole; gives whether all is well. */
  finish (isWhole: boolean): boolean
}

export interface ReportOptions {
  readonly terminal: Terminal
  readonly isJson: boolean
  readonly warnings: readonly Problem[]
  /** The proxy that is gone through; its user and password are not shown. */
  readonly proxy: ProxyUrl | undefined
}

/** Writes to standard output; what a step is at is shown on a terminal only, and replaced by what came of it. */
export function createReport ({ terminal, isJson, warnings, proxy }: ReportOptions): Report {
  const { stdout, stderr } = terminal
  const steps: Step[] = []
  const progress = isJson ? stderr : stdout

  function clearProgress (): void {
    if (progress.isTTY === true) progress.write('\r\u001b[K')
  }

  function onStep (raw: Step): void {
    const step = escapeStep(raw)
    steps.push(step)
    clearProgress()
    if (!isJson) stdout.write(`${renderStep(step)}\n`)
  }

  return {
    configured (source, ms) {
      const count = warnings.length
      const status = count === 0 ? 'passed' : 'warned'
      const found = count === 0 ? source : `${source}, with ${count} warning${count === 1 ? '' : 's'}`
      const base = { registry: '', host: '', step: 'configuration', status, ms, found } as const
      onStep(count === 0 ? base : { ...base, toDo: 'See what acr-egress check says.' })
    },
    onStart ({ step, host }) {
      if (progress.isTTY !== true) return
      const line = `${'...'.padEnd(statusWidth)} ${step.padEnd(stepWidth)} ${host}`
      progress.write(`\r${line.slice(0, (progress.columns ?? 80) - 1)}\u001b[K`)
    },
    onStep,
    finish (isWhole) {
      const ok = isWhole && !steps.some(({ status }) => status === 'failed')
      const through = proxy === undefined ? {} : { proxy: describeProxyUrl(proxy) }
      if (!isJson) stdout.write(`\n${summarize(steps, isWhole)}\n`)
      else writeDocument(terminal, { ok, interrupted: !isWhole, ...through, warnings, steps })
      return ok
    },
  }
}

/** The document when the configuration does not even begin to be one. */
export function printConfigurationProblems (terminal: Terminal, problems: readonly Problem[]): void {
  const found = `${problems.length} problem${problems.length === 1 ? '' : 's'}`
  const base = { registry: '', host: '', step: 'configuration', status: 'failed', ms: 0, found } as const
  const steps: readonly Step[] = [{ ...base, toDo: 'See problems, or what acr-egress check says.' }]
  writeDocument(terminal, { ok: false, interrupted: false, problems, warnings: [], steps })
}

function writeDocument ({ stdout }: Terminal, document: object): void {
  stdout.write(`${JSON.stringify(document, undefined, 2)}\n`)
}

const statusWidth = 'skipped'.length
const stepWidth = 'configuration'.length
const timeWidth = 8

function escapeStep (step: Step): Step {
  const { found, toDo } = step
  return { ...step, found: escapeControls(found), ...toDo === undefined ? {} : { toDo: escapeControls(toDo) } }
}

function renderStep ({ step, status, ms, host, found, toDo }: Step): string {
  const time = status === 'skipped' ? '' : `${ms} ms`
  const columns = [status.padEnd(statusWidth), step.padEnd(stepWidth), time.padStart(timeWidth)].join(' ')
  return `${columns}  ${host === '' ? '' : `${host}: `}${found}${toDo === undefined ? '' : `. ${toDo}`}`
}

function summarize (steps: readonly Step[], isWhole: boolean): string {
  const failed = steps.filter(({ status }) => status === 'failed')
  const warned = steps.filter(({ status }) => status === 'warned')
  const named = (some: readonly Step[]): string => some.map(({ step, host }) => host === '' ? step : `${step} of ${host}`).join(', ')
  const parts = [
    ...isWhole ? [] : ['Interrupted; these are the steps that were taken.'],
    ...failed.length === 0 ? [] : [`Failed: ${named(failed)}.`],
    ...warned.length === 0 ? [] : [`Warned: ${named(warned)}.`],
  ]
  if (parts.length === 0) return 'All is well.'
  if (isWhole && failed.length === 0) parts.unshift('Nothing failed.')
  return `${parts.join(' ')} What each line means is in docs/doctor.md.`
}
