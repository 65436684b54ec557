const intervalMs = 5
const timeoutMs = 4000

/** Asks again and again until it is so, for what tells nobody when it changes; rejects after four seconds. */
export async function waitUntil (condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`)
    await new Promise((resolve) => { setTimeout(resolve, intervalMs) })
  }
}
