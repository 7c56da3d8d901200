// Words whose change turns a sentence around. English first, the commonest of a few other languages besides; the
// guard errs towards "critical", which costs time and never an answer.

const set = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/).filter(Boolean));

export const negations = set(`
  no not none never neither nor nothing nobody nowhere cannot without except unless hardly barely
  don't doesn't didn't isn't aren't wasn't weren't won't wouldn't can't couldn't shouldn't mustn't
  haven't hasn't hadn't needn't ain't
  dont doesnt didnt isnt arent wasnt werent wouldnt cant couldnt shouldnt mustnt havent hasnt hadnt neednt
  lack lacks lacking deny denies denied free absent fails refuses stops rarely seldom
  nicht kein keine keinen keiner nie niemals ohne ne pas jamais sans aucun aucune sin nunca ningún non mai senza`);

export const units = set(`
  mg g kg mcg µg ng ml l dl cl iu mmol mol meq mmhg bpm kcal cal kj
  mm cm m km inch inches ft feet yard yards mile miles
  ms s sec second seconds min minute minutes h hr hour hours day days week weeks month months year years
  hourly daily weekly monthly yearly nightly once twice thrice
  gb mb kb tb gib mib kib bytes bits hz khz mhz ghz v w kw mw kwh
  c f celsius fahrenheit percent % $ € £ ¥ usd eur gbp chf cents dollars euros pounds
  stone ounce ounces oz lb lbs pint pints gallon gallons bar psi kelvin k degrees
  tablet tablets capsule capsules drop drops puff puffs dose doses ampoule unit units`);

export const numbers = set(`
  zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
  seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million
  billion half quarter double triple first second third fourth fifth sixth seventh eighth ninth tenth last
  all every each any some most few both only`);

export const dates = set(`
  monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun
  january february march april may june july august september october november december
  jan feb mar apr jun jul aug sep sept oct nov dec
  now later dawn dusk early late earlier later next previous
  today tomorrow yesterday tonight morning noon afternoon evening night midnight am pm
  spring summer autumn fall winter easter christmas`);

/** Choices from a closed list: the other value of the list is another instruction. */
export const choices = set(`
  enable disable enabled disabled enabling disabling activate deactivate active inactive on off open closed close
  allow deny allowed denied permit forbid forbidden accept reject accepted rejected approve refuse
  start stop begin end add remove increase decrease raise lower more less up down high low maximum minimum
  before after above below over under left right north south east west front back inside outside
  true false yes no pass fail passed failed positive negative valid invalid safe unsafe
  must may should can shall always never required optional mandatory
  male female man woman boy girl mother father child adult he she his her him
  red green blue black white yellow orange hot cold warm wet dry
  buy sell paid owed lend borrow send receive credit debit push pull in out
  public private internal external local remote read write admin guest same different often sometimes usually present missing
  delete deleted restore restored create created keep kept save discard insert replace
  import export upload download encrypt decrypt encode decode install uninstall mount unmount http https
  hire fire win lose won lost gain gains loss profit rise rises rose fall falls fell grew shrank
  guilty innocent alive dead benign malignant acute chronic minor major mild severe
  large small big little long short full empty heavy light fast slow rich poor strong weak top bottom upper lower
  refund charge cancel renew lock unlock connect disconnect agree disagree summarize translate explain
  brother sister son daughter husband wife parent landlord tenant buyer seller lender borrower
  former latter mouth injection infusion
  oral intravenous subcutaneous intramuscular topical rectal fasting fed systolic diastolic
  b c d ii iii iv`);

export const roles = set('system user assistant tool developer function human ai bot');
