/** Carries pseudo-random bytes of each size, one tunnel each, and fails unless every byte comes out in its place. */
export async function verifyBytes (stage, subject, { sizes }) {
  let verified = 0
  for (const bytes of sizes) {
    const { received, expected, count } = await carry(stage, subject, bytes)
    if (count !== bytes) throw new Error(`${count} of ${bytes} bytes came`)
    if (received !== expected) throw new Error(`${bytes} bytes came, but not those that were sent: SHA-256 differs`)
    verified += bytes
  }
  return { verifiedBytes: verified }
}

async function carry (stage, subject, bytes) {
  return await stage.runClient({ kind: 'verify', route: subject.route, seed: `${subject.name} ${bytes}`, bytes }, {
    async around ({ go, nextLine }) {
      go()
      return JSON.parse(await nextLine())
    },
  })
}
