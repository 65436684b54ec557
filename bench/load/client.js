/**
 * The client of every measurement, a process of its own: `node client.js JOB`, where JOB is JSON. It says `ready` when
 * its connections stand, waits for a line on standard input, does its work, and prints what it found as one JSON line.
 */
import { readSync } from 'node:fs'
import { runFlows } from './flows.js'
import { runIdle } from './idle.js'
import { runPingPong } from './ping-pong.js'
import { runSetups } from './setups.js'
import { runVerify } from './verify.js'

const jobs = { flows: runFlows, idle: runIdle, 'ping-pong': runPingPong, setups: runSetups, verify: runVerify }
const { kind, ...job } = JSON.parse(process.argv[2])

/** Blocks until whoever measures has read its clocks. */
function waitForGo () {
  process.stdout.write('ready\n')
  readSync(0, Buffer.alloc(16))
}

process.stdout.write(`${JSON.stringify(jobs[kind](job, waitForGo))}\n`)
process.exit(0)
