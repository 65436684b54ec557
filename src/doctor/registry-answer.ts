import { type Answer, readObject } from './exchange.ts'
import { StepFailure } from './step.ts'

const maxQuoted = 200

/** An answer as a person is told of it: `404 MANIFEST_UNKNOWN: manifest unknown to registry`. */
export function nameAnswer (answer: Answer): string {
  const errors = readObject(answer)?.['errors']
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined
  const { code, message } = Object(first) as { code?: unknown, message?: unknown }
  const words = [code, message].filter((word) => typeof word === 'string' && word !== '')
  return `${answer.status} ${words.join(': ')}`.slice(0, maxQuoted).trim()
}

/** The failure of a request to the registry that was answered with a status that no case of its own is known for. */
export function failByStatus (answer: Answer, what: string): StepFailure {
  const said = `${what} was answered with ${nameAnswer(answer)}`
  if (answer.status === 403) {
    return new StepFailure(said, 'If the registry names this network\'s address, add it to the registry\'s firewall ' +
      '(az acr network-rule add), or go by its private endpoint.')
  }
  if (answer.status === 429) return new StepFailure(said, 'The registry is asked too often; wait a minute, and try again.')
  if (answer.status >= 500) {
    return new StepFailure(said, 'The registry has a fault; try again, and look at status.azure.com if it stays.')
  }
  return new StepFailure(said, 'See what answers in the place of the registry, and that the login server is spelt right.')
}
