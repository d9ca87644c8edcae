import type { Random } from '#base'
import { type Draft, type ExampleDomain, type Lexicon, phrase, pickSkewed, say } from '../phrase.ts'

type Urgency = 'routine' | 'soon' | 'urgent'

interface Complaint {
  readonly site: string
  readonly department: string
  readonly urgency: Urgency
  readonly words: readonly string[]
}

const COMPLAINTS: readonly Complaint[] = [
  {
    site: 'back',
    department: 'orthopaedics',
    urgency: 'routine',
    words: [
      'my back aches',
      'stiff back when I get up',
      'I cannot lift anything because of my spine',
      'pulled something in my lower back',
    ],
  },
  {
    site: 'throat',
    department: 'general practice',
    urgency: 'routine',
    words: ['sore throat', 'it hurts to swallow', 'my tonsils are swollen', 'I lost my voice'],
  },
  {
    site: 'skin',
    department: 'dermatology',
    urgency: 'routine',
    words: [
      'an itchy rash on my arm',
      'red spots all over',
      'a mole that has changed',
      'dry patches on my elbows',
    ],
  },
  {
    site: 'chest',
    department: 'cardiology',
    urgency: 'urgent',
    words: [
      'pressure on my chest',
      'pain behind the breastbone',
      'my heart races at rest',
      'tight chest on the stairs',
    ],
  },
  {
    site: 'stomach',
    department: 'gastroenterology',
    urgency: 'soon',
    words: [
      'cramps after eating',
      'burning in my stomach',
      'I keep throwing up',
      'my belly is bloated',
    ],
  },
  {
    site: 'knee',
    department: 'orthopaedics',
    urgency: 'soon',
    words: [
      'my knee is swollen',
      'my knee gives way',
      'twisted my knee playing football',
      'cannot bend the knee',
    ],
  },
  {
    site: 'eye',
    department: 'ophthalmology',
    urgency: 'soon',
    words: [
      'a red eye',
      'everything is blurred on the left',
      'flashes of light when I look aside',
      'my lid is glued shut in the morning',
    ],
  },
  {
    site: 'ear',
    department: 'ear nose throat',
    urgency: 'soon',
    words: [
      'earache',
      'ringing in my ear',
      'I hear nothing on the right',
      'fluid runs from my ear',
    ],
  },
  {
    site: 'head',
    department: 'neurology',
    urgency: 'soon',
    words: [
      'a splitting headache',
      'migraine with flickering',
      'dizzy when I turn my head',
      'numb on one side of the face',
    ],
  },
  {
    site: 'lungs',
    department: 'pulmonology',
    urgency: 'soon',
    words: [
      'a cough that will not stop',
      'I wheeze at night',
      'short of breath when walking',
      'I cough up yellow stuff',
    ],
  },
  {
    site: 'tooth',
    department: 'dentistry',
    urgency: 'routine',
    words: ['toothache', 'my gum bleeds', 'lost a filling', 'cold drinks hurt my tooth'],
  },
  {
    site: 'hand',
    department: 'surgery',
    urgency: 'urgent',
    words: [
      'a deep cut in my hand',
      'I burnt my fingers badly',
      'a dog bit my hand',
      'my finger is bent the wrong way',
    ],
  },
  {
    site: 'foot',
    department: 'orthopaedics',
    urgency: 'routine',
    words: [
      'my heel hurts at the first step',
      'an ingrown nail',
      'I rolled my ankle',
      'my toes tingle',
    ],
  },
  {
    site: 'bladder',
    department: 'urology',
    urgency: 'soon',
    words: [
      'burning when I pass water',
      'I have to go every half hour',
      'blood in my urine',
      'I cannot hold it',
    ],
  },
  {
    site: 'mood',
    department: 'psychiatry',
    urgency: 'soon',
    words: [
      'I cannot sleep for worry',
      'I feel empty all day',
      'panic in the bus',
      'nothing gives me joy',
    ],
  },
  {
    site: 'nose',
    department: 'ear nose throat',
    urgency: 'routine',
    words: [
      'my nose is blocked',
      'sneezing in the garden',
      'nosebleeds',
      'I smell nothing any more',
    ],
  },
  {
    site: 'hip',
    department: 'orthopaedics',
    urgency: 'routine',
    words: ['my hip clicks', 'pain in the groin when I walk', 'I limp after sitting'],
  },
  {
    site: 'thyroid',
    department: 'endocrinology',
    urgency: 'routine',
    words: [
      'a lump at the front of my neck',
      'I gain weight without eating more',
      'always cold and tired',
    ],
  },
]

/** How long it has lasted, in days. */
const DURATIONS: Lexicon = {
  '1 day': ['since yesterday', 'for a day', 'since last night'],
  '3 days': ['for three days', 'for 3 days now', 'since three days ago'],
  '7 days': ['for a week', 'since this day last week', 'for seven days'],
  '2 days': ['for two days', 'since the day before yesterday', 'for 48 hours'],
  '14 days': ['for a fortnight', 'for two weeks', 'for 14 days'],
  '0 days': ['since this morning', 'since an hour ago', 'it started just now'],
  '30 days': ['for a month', 'for four weeks or so', 'since last month'],
  '5 days': ['for five days', 'the whole working week'],
  '90 days': ['for three months', 'for a quarter of a year'],
  '21 days': ['for three weeks', 'for 21 days'],
  '180 days': ['for half a year', 'for six months'],
  '365 days': ['for a year', 'since last year', 'for twelve months'],
  '10 days': ['for ten days', 'for a week and a half'],
}

/** What moves a complaint up or down. */
const MODIFIERS: Readonly<Record<'worse' | 'same' | 'better', readonly string[]>> = {
  worse: [
    'and it gets worse by the hour',
    'and I nearly fainted',
    'with a high fever',
    'and I can hardly breathe',
    'it is unbearable',
  ],
  same: ['', '', '', 'and it will not go away', 'and pills do not help', 'it comes and goes'],
  better: ['but it is much better today', 'just for a check', 'it hardly bothers me'],
}

const ORDER: readonly Urgency[] = ['routine', 'soon', 'urgent']
const OPENING =
  '(||||hello,|good morning,|I am calling because:|my husband says I should call,|it is me again,)'

/** What patients say on the phone: a triage line, a department, a duration. No medical advice: made-up rules for a demonstration. */
export const clinic: ExampleDomain = {
  name: 'clinic',
  draw: (random) => random.pick([triage, triage, department, duration])(random),
}

interface Call {
  readonly text: string
  readonly complaint: Complaint
  readonly urgency: Urgency
  readonly duration: string
}

function call(random: Random): Call {
  const complaint = pickSkewed(random, COMPLAINTS)
  const [duration, since] = say(random, DURATIONS)
  const change = pickSkewed(random, ['same', 'worse', 'better'] as const)
  const step = { worse: 1, same: 0, better: -1 }[change]
  const level = Math.min(2, Math.max(0, ORDER.indexOf(complaint.urgency) + step))
  const body = random.pick([
    '{words} {since} {modifier}',
    '{since} {words} {modifier}',
    '{words} {modifier}, {since}',
  ])
  const text = phrase(random, `${OPENING} ${body}`, {
    words: random.pick(complaint.words),
    since,
    modifier: random.pick(MODIFIERS[change]),
  })
  return { text, complaint, urgency: ORDER[level]!, duration }
}

function triage(random: Random): Draft {
  const { text, complaint, urgency, duration } = call(random)
  return {
    task: 'clinic_triage',
    instruction: 'Write the triage line: urgency, site, days.',
    input: text,
    output: `${urgency}, ${complaint.site}, ${duration}`,
  }
}

function department(random: Random): Draft {
  const { text, complaint } = call(random)
  return {
    task: 'clinic_department',
    instruction: 'Name the department for this patient.',
    input: text,
    output: complaint.department,
  }
}

function duration(random: Random): Draft {
  const { text, duration } = call(random)
  return {
    task: 'clinic_duration',
    instruction: 'Say for how many days the patient has had this.',
    input: text,
    output: duration,
  }
}
