import { readCpuSeconds, readMachineSeconds } from '../processes.js'

/** Carries `bytes` over `flows` tunnels at once; figures per GB (10^9 bytes). `command` is the client's, if another. */
export async function measureBulk (stage, subject, { flows, bytes, command }) {
  return await stage.runClient({ kind: 'flows', route: subject.route, flows, bytes }, {
    command,
    async around ({ go, nextLine }) {
      const cpu = subject.pid === undefined ? 0 : readCpuSeconds(subject.pid)
      const machine = readMachineSeconds()
      go()
      const { seconds, bytes: carried } = JSON.parse(await nextLine())
      const gigabytes = carried / 1e9
      return {
        gigabytesPerSecond: gigabytes / seconds,
        ...subject.pid === undefined ? {} : { cpuSecondsPerGigabyte: (readCpuSeconds(subject.pid) - cpu) / gigabytes },
        machineSecondsPerGigabyte: (readMachineSeconds() - machine) / gigabytes,
      }
    },
  })
}
