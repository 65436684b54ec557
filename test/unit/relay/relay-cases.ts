import type { Test } from 'tap'
import { contentCases } from './content-cases.ts'
import { endCases } from './end-cases.ts'
import { resetCases } from './reset-cases.ts'
import type { Bench } from './tunnel-bench.ts'

/** One thing that every relay engine must do. */
export interface RelayCase {
  /** A sentence about the relay. */
  readonly name: string
  readonly run: (t: Test, bench: Bench) => Promise<void>
}

/** What an engine promises, whatever it is made of: its test file runs them all. */
export const relayCases: readonly RelayCase[] = [...contentCases, ...endCases, ...resetCases]
