// The alerts: on metrics that exist, with bounds that fit the configuration, in words that say what to do; and promtool agrees.
import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { METRICS } from '../../runtime/metric-declarations.js'
import type { MetricName } from '../../runtime/metrics.js'
import { at, listAt, type Manifest, textOf } from './render.js'
import { findTool, repository, run, skipWithout } from './tools.js'

const manifest = parse(
  readFileSync(path.join(repository, 'k8s/components/monitoring/alerts.yaml'), 'utf8'),
) as Manifest
const rules = listAt(manifest, 'spec', 'groups').flatMap((group) => listAt(group, 'rules'))
const alertOf = (rule: Manifest) => textOf(at(rule, 'alert'))
const promtool = findTool('promtool')
const wherePromtool = skipWithout(promtool, "promtool (Debian's package prometheus)")

/** As Prometheus exposes it: a histogram has three. */
const exposed = new Set(
  Object.entries(METRICS).flatMap(([name, { type }]) =>
    type === 'histogram'
      ? ['_bucket', '_sum', '_count'].map((end) => `log_pipeline_${name}${end}`)
      : [`log_pipeline_${name}`],
  ),
)

test('an alert on a metric that no node counts', () => {
  assert.ok(rules.length > 10)
  for (const rule of rules) {
    const used = textOf(at(rule, 'expr')).match(/\blog_pipeline_\w+/g) ?? []
    for (const name of used) assert.ok(exposed.has(name), `${alertOf(rule)}: there is no ${name}`)
    assert.ok(
      used.length > 0 || textOf(at(rule, 'expr')).includes('up{'),
      `${alertOf(rule)} looks at nothing of ours`,
    )
  }
})

test('an alert that groups by a label that its metric does not have', () => {
  // Those that Prometheus adds when it scrapes (service-monitor.yaml), and a histogram's own.
  const scraped = ['node', 'le']
  for (const rule of rules) {
    const expr = textOf(at(rule, 'expr'))
    const names = (expr.match(/log_pipeline_(\w+)/g) ?? []).map((name) => name.slice('log_pipeline_'.length))
    const metric = names[0]?.replace(/_bucket$/, '') as MetricName | undefined
    const known: readonly string[] = [...scraped, ...(metric === undefined ? [] : METRICS[metric].labels)]
    for (const [, labels = ''] of expr.matchAll(/\bby \(([^)]*)\)/g))
      for (const label of labels.split(',').map((each) => each.trim()))
        assert.ok(known.includes(label), `${alertOf(rule)}: ${metric} has no label ${label}`)
  }
})

test('an alert that does not say what to do', () => {
  assert.equal(new Set(rules.map(alertOf)).size, rules.length)
  for (const rule of rules) {
    assert.match(alertOf(rule), /^Millrace[A-Z]\w+$/)
    assert.match(textOf(at(rule, 'labels', 'severity')), /^(critical|warning|info)$/)
    for (const text of ['summary', 'action'])
      assert.ok(textOf(at(rule, 'annotations', text)).length > 20, alertOf(rule))
  }
})

test('an alert on a filling journal that comes too late, or knows another bound than the node', () => {
  const filling = rules.find((rule) => alertOf(rule) === 'MillraceJournalFilling')
  assert.match(textOf(at(filling, 'expr')), /journal_bytes \/ log_pipeline_journal_bytes_max\) > 0\.8$/)
})

test('rules that Prometheus refuses, or that do not fire when they should', wherePromtool, () => {
  if (promtool === undefined) return
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-alerts-'))
  try {
    // A rule file is what the operator makes of it: the spec.
    writeFileSync(path.join(folder, 'alerts.yaml'), stringify(at(manifest, 'spec')))
    // The scenarios are about when, not about words: promtool would compare every annotation.
    writeFileSync(path.join(folder, 'bare.yaml'), stringify(withoutAnnotations(at(manifest, 'spec'))))
    copyFileSync(path.join(repository, 'test/k8s/alerts.promtool.yaml'), path.join(folder, 'tests.yaml'))
    const checked = run(promtool, ['check', 'rules', path.join(folder, 'alerts.yaml')])
    assert.equal(checked.code, 0, checked.output)
    assert.match(checked.output, new RegExp(`SUCCESS: ${rules.length} rules found`))
    const tested = run(promtool, ['test', 'rules', path.join(folder, 'tests.yaml')])
    assert.equal(tested.code, 0, tested.output)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

function withoutAnnotations(spec: Manifest | undefined): unknown {
  return JSON.parse(
    JSON.stringify(spec, (key, value: unknown) => (key === 'annotations' ? undefined : value)),
  )
}

test('an alert that no scenario has fired', () => {
  const scenarios = parse(
    readFileSync(path.join(repository, 'test/k8s/alerts.promtool.yaml'), 'utf8'),
  ) as Manifest
  const fired = listAt(scenarios, 'tests').flatMap((scenario) =>
    listAt(scenario, 'alert_rule_test')
      .filter((each) => listAt(each, 'exp_alerts').length > 0)
      .map((each) => textOf(at(each, 'alertname'))),
  )
  assert.deepEqual(
    rules.map(alertOf).filter((name) => !fired.includes(name)),
    [],
  )
})
