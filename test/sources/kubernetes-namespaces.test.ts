// Which namespaces a kubernetes source reads: those chosen, but for those left out.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Bench } from './bench.js'
import { criLines } from './folders.js'
import { ended, sourcesFixture } from './fixture.js'

const fixture = sourcesFixture()

function writePods(...namespaces: readonly string[]): void {
  for (const [n, namespace] of namespaces.entries())
    fixture.folder.write(
      `${namespace}_cart-x2k4p_0f1e2d3c-0000-4000-8000-00000000000${n}/app/0.log`,
      criLines(n, 1),
    )
}
const namespacesOf = (bench: Bench) =>
  bench.announced.map(({ origin }) => String(origin.trusted.namespace)).toSorted((a, b) => a.localeCompare(b))

test('a pod of a namespace that belongs to another agent is not read', async () => {
  writePods('shop', 'payments', 'kube-system', 'shop-staging')
  const bench = await fixture.pods({ namespaces: ['shop', 'shop-staging'] }, [], { once: true })
  await ended(bench)
  assert.deepEqual(namespacesOf(bench), ['shop', 'shop-staging'])
})

test('a namespace that is chosen and left out is left out', async () => {
  writePods('shop', 'payments')
  const bench = await fixture.pods(
    { namespaces: ['shop', 'payments'], exclude_namespaces: ['payments'] },
    [],
    { once: true },
  )
  await ended(bench)
  assert.deepEqual(namespacesOf(bench), ['shop'])
})

test('without a choice every namespace is read but those left out', async () => {
  writePods('shop', 'payments', 'kube-system')
  const bench = await fixture.pods({ exclude_namespaces: ['kube-system'] }, [], { once: true })
  await ended(bench)
  assert.deepEqual(namespacesOf(bench), ['payments', 'shop'])
})
