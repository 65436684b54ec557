const script = new URL('../lookups/worker.js', import.meta.url).pathname
const kinds = ['ipv4Hit', 'ipv4Miss', 'ipv6Hit', 'ipv6Miss']

/** Nanoseconds of a lookup, and how many a second that makes; the families together only where it has both. */
export async function measureLookups (stage, subject, options) {
  const times = await runJob(stage, subject, { kind: 'find', ...options })
  const all = kinds.map((kind) => times[kind]).filter((time) => time !== undefined)
  const nanoseconds = all.reduce((sum, time) => sum + time, 0) / all.length
  return {
    ...Object.fromEntries(Object.entries(times).map(([kind, time]) => [`${kind}Nanoseconds`, time])),
    ...all.length < kinds.length ? {} : { lookupNanoseconds: nanoseconds, lookupsPerSecond: 1e9 / nanoseconds },
  }
}

/** Milliseconds from the text of the file to what is searched; and, in a process that did nothing else, its bytes. */
export async function measureLookupLoad (stage, subject, { tags, size, rounds, copies }) {
  const { first, later, json } = await runJob(stage, subject, { kind: 'load', tags, size, rounds })
  const { bytes } = await runJob(stage, subject, { kind: 'bytes', tags, size, copies })
  return {
    firstLoadMilliseconds: first,
    laterLoadMilliseconds: later,
    jsonMilliseconds: json,
    loadedBytes: bytes,
  }
}

async function runJob (stage, { candidate }, job) {
  return await stage.runClient({ candidate, ...job }, {
    script,
    // Code that is thrown away between two looks at the memory would count as memory that was given back.
    nodeFlags: ['--expose-gc', '--no-flush-bytecode'],
    async around ({ go, nextLine }) {
      go()
      return JSON.parse(await nextLine())
    },
  })
}
