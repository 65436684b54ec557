import { recordHello } from '../load/hello.js'
import { measureBulk } from './bulk.js'
import { measureSetupRate, measureSetupTimes } from './setups.js'

/** Set-ups that end with the upstream's answer to a ClientHello, and bulk behind one, over one flow. */
export async function measureServerName (stage, subject, { clients, count, warmUpCount, rate, bytes }) {
  const [host] = subject.route.target.split(':')
  const hello = (await recordHello(host)).toString('hex')
  const speaking = { ...subject, route: { ...subject.route, hello } }
  return {
    ...await measureSetupRate(stage, speaking, { clients, count, warmUpCount }),
    ...await measureSetupTimes(stage, speaking, { rate, count }),
    ...await measureBulk(stage, speaking, { flows: 1, bytes }),
  }
}
