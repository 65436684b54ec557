/** Round trips of one byte inside one tunnel, in microseconds. */
export async function measurePingPong (stage, subject, { rounds }) {
  return await stage.runClient({ kind: 'ping-pong', route: subject.route, rounds }, {
    async around ({ go, nextLine }) {
      go()
      const { p50, p99 } = JSON.parse(await nextLine())
      return { pingPongMicroseconds50: p50, pingPongMicroseconds99: p99 }
    },
  })
}
