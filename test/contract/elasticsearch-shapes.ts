// Documents that Elasticsearch refuses, or takes, for their shape under a template like Millrace's.

export const template = (pattern: string) => ({
  index_patterns: [pattern],
  priority: 900,
  template: {
    settings: { number_of_replicas: 0, 'mapping.ignore_malformed': true },
    mappings: {
      dynamic: false,
      date_detection: false,
      properties: {
        timestamp: { type: 'date', format: 'strict_date_optional_time||epoch_millis' },
        log_level: { type: 'keyword', ignore_above: 256 },
        level: { type: 'alias', path: 'log_level' },
        batch_id: { type: 'keyword', ignore_above: 256 },
        amount_usd: { type: 'long', coerce: false },
        message: { type: 'text', norms: false },
        unlimited: { type: 'keyword' },
        kubernetes: { type: 'object', dynamic: false, properties: { labels: { type: 'flattened' } } },
      },
    },
  },
})

const deep = (levels: number) => `{"x":${'['.repeat(levels)}${']'.repeat(levels)}}`

export const refusedDocuments: readonly string[] = [
  '{"message":"a","message":"b"}',
  '{"x":{"a":1,"a":2}}',
  '{"x":[{"a":1},{"a":2,"a":3}]}',
  '{"x":1,"x":2}',
  '{"level":"x"}',
  '{"_id":"x"}',
  '{"_source":"x"}',
  '{"_index":"x"}',
  '{"_routing":"x"}',
  '{"_seq_no":1}',
  '{"":"x"}',
  '{" ":"x"}',
  '{".":"x"}',
  '{".a":"x"}',
  '{"a..b":"x"}',
  '{"kubernetes":{"":1}}',
  '{"log_level":{"a":1}}',
  '{"log_level":[{"a":1}]}',
  '{"amount_usd":{"a":1}}',
  '{"timestamp":{"a":1}}',
  '{"message":{"a":1}}',
  '{"kubernetes":"x"}',
  '{"kubernetes":[1]}',
  '{"kubernetes":{"labels":"x"}}',
  '{"log_level.a":"x"}',
  `{"unlimited":"${'x'.repeat(32_767)}"}`,
  '{"a":tru}',
  '{"a":"\u0001"}',
  '{"a":1',
  '[1]',
  '"x"',
  deep(1001),
]

export const takenDocuments: readonly string[] = [
  '{"timestamp":"2026-01-01T00:00:00.123456789Z","message":"ok"}',
  '{"timestamp":"garbage","amount_usd":"abc"}',
  '{"amount_usd":12.5}',
  '{"_foo":"x","_type":"y"}',
  '{"a.":"x"}',
  '{"log_level":[1,"a",null,true]}',
  '{"message":12}',
  '{"kubernetes":null}',
  '{"kubernetes":{"_id":1}}',
  '{"kubernetes":{"labels":{"a":{"b":1},"a.b":2}}}',
  '{"kubernetes.labels":{"z":1}}',
  '{"kubernetes.labels.app":"z"}',
  '{"unmapped":{"level":"x","":"y","_id":"z","b..c":1}}',
  `{"log_level":"${'x'.repeat(40_000)}"}`,
  '{}',
]
