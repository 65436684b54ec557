import { type Refusal, refuse } from '../refusal/reasons.ts'

/** No credentials came. Most clients send them after this answer only, so that it is a step and no mistake. */
export function refuseWithout (): Refusal {
  return refuse('proxy_auth_required', 'the gateway asks for a user name and password',
    `Put them into the client's proxy URL: ${form}.`)
}

/** What came is understood and wrong: the same of a user that nobody knows. */
export function refuseWrong (): Refusal {
  return refuse('proxy_auth_failed', 'the user name or password is wrong',
    `Correct it in the client's proxy URL, ${form}; or have the operator look at clients.passwordFile.`)
}

/** What came cannot be checked; `problem` is half a sentence in ASCII, and says nothing of any user. */
export function refuseUnclear (problem: string): Refusal {
  return refuse('proxy_auth_failed', problem, `Write the client's proxy URL as ${form}.`)
}

/** An address has failed too often. */
export function refuseAttempts (address: string, retryAfterSeconds: number): Refusal {
  return {
    ...refuse('proxy_auth_limited', `too many wrong passwords from ${address}`,
      'Correct the password in the proxy URL, there or at whoever shares the address, and wait a minute.'),
    retryAfterSeconds,
  }
}

/** Too many are being checked, or this one has waited for too long. */
export function refuseWaiting (): Refusal {
  return {
    ...refuse('proxy_auth_limited', 'too many passwords wait to be checked', 'Try again.'),
    retryAfterSeconds: waitingSeconds,
  }
}

const form = 'http://USER:PASSWORD@GATEWAY:PORT, percent-encoded'
// A line that is full is half empty by then, at cost 10 and two processors.
const waitingSeconds = 15
