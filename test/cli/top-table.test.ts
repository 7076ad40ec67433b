// Guards the picture that top and demo draw: rates come from two looks, and a restart never shows a negative one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderTop } from '../../cli/top-table.js'
import { exampleStatus } from '../http/node-server.js'

const later = {
  ...exampleStatus,
  uptimeMs: 12_000,
  cpu: { userUs: 4_000_000, systemUs: 2_000_000 },
  counters: { ...exampleStatus.counters, readRecords: 3_000_000, keptRecords: 600_000 },
}

test('rates are of the time between two looks', () => {
  const text = renderTop(later, exampleStatus)
  assert.match(text, /cpu 100 %/)
  assert.match(text, /^read {3}1,000,000 records\/s .* 3,000,000 in all$/m)
  assert.match(text, /^kept {3}200,000 records\/s \(20\.0 %\)/m)
})

test('without an earlier look rates are averages since the start', () => {
  assert.match(renderTop(exampleStatus), /^read {3}100,000 records\/s {3}40\.5 MB\/s {3}1,000,000 in all$/m)
})

test('every backend has its row with lag, breaker, concurrency, failures and dead letters', () => {
  const loki = /^loki .*$/m.exec(renderTop(exampleStatus))?.[0] ?? ''
  assert.deepEqual(loki.trim().split(/ {2,}/), [
    'loki',
    '15,000',
    '150,000',
    '6.0 MB',
    '3m 07s',
    '120',
    'half-open',
    '≤ 1',
    '9',
    '4',
  ])
})

test('a node that restarted between two looks shows no negative rate', () => {
  const text = renderTop(
    { ...exampleStatus, uptimeMs: 1000, counters: { ...exampleStatus.counters, readRecords: 5 } },
    later,
  )
  assert.match(text, /^read {3}5 records\/s/m)
  assert.doesNotMatch(text, /-\d|NaN|Infinity/)
})

test('what is wrong stands below the table', () => {
  const text = renderTop({
    ...exampleStatus,
    ready: false,
    reasons: ['journal: disk full'],
    degraded: ['writer.es: slow'],
  })
  assert.match(text, /NOT READY/)
  assert.match(text, /^! journal: disk full\n~ writer\.es: slow\n$/m)
})

test('services stand with their traffic, rate, figures and the rules in force, and a refused reload is told', () => {
  const service = {
    namespace: 'shop',
    service: 'cart',
    infoPerSecond: 10_000,
    seenPerSecond: 12_000,
    keptPerSecond: 340,
    infoRate: 0.01,
    window: { errorRate: 0.081, p99Ms: 301.2 },
    rules: ['incident'],
  }
  const sampling = {
    revision: 4,
    reloads: 3,
    refused: { atMs: 1, reason: 'sampling.rules[0].when: column 3: expected …\nand more' },
    tracked: 1,
    overflow: false,
    services: [service, { ...service, service: 'new', infoRate: 1, window: {}, rules: [] }],
    boosts: [{ match: { pod: 'cart-1' }, untilMs: 5 }],
  }
  const text = renderTop({ ...exampleStatus, sampling })
  const row = /^shop\/cart .*$/m.exec(text)?.[0] ?? ''
  assert.deepEqual(row.split(/ {2,}/), ['shop/cart', '12,000', '340', '0.010', '8.1 %', '301 ms', 'incident'])
  assert.match(
    text,
    /^1 services {3}1 boosted\n! new sampling settings were refused: sampling\.rules\[0\]\.when: .*…$/m,
  )
  assert.doesNotMatch(renderTop(exampleStatus), /rules in force/)
})
