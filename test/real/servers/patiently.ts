// Asks a server once more when it did not answer in time: a machine that compiles beside the tests is slow, and asking changes nothing.

/** Rejects with the last timeout, and at once with anything else. */
export async function patiently<T>(triesMax: number, ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      if (tries >= triesMax || !(error instanceof Error && error.name === 'TimeoutError')) throw error
    }
  }
}
