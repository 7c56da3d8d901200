import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { criticalChanges } from '../../src/meaning/index.ts';

describe('criticalChanges', () => {
  it.each([
    ['Please enable 2FA for my account.', 'Please disable 2FA for my account.', 'choice'],
    ['turn on two-factor login', 'turn off two-factor login', 'choice'],
    ['What is 2+2?', 'What is 2+3?', 'number'],
    ['Give 5 mg every hour.', 'Give 50 mg every hour.', 'number'],
    ['Give 5 mg every hour.', 'Give 5 g every hour.', 'unit'],
    ['The fee is 12.50 euros.', 'The fee is 125.0 euros.', 'number'],
    ['Visits end at 20:00.', 'Visits end at 21:00.', 'date'],
    ['The deadline is 2026-03-01.', 'The deadline is 2026-01-03.', 'date'],
    ['Come on Monday.', 'Come on Tuesday.', 'date'],
    ['The patient is allergic.', 'The patient is not allergic.', 'negation'],
    ['You can drive.', 'You can’t drive.', 'negation'],
    ['This drug is safe in pregnancy.', 'This drug is unsafe in pregnancy.', 'negation'],
    ['Watch for hypertension.', 'Watch for hypotension.', 'negation'],
    ['Call Doctor Amara first.', 'Call Doctor Benton first.', 'name'],
    ['Alice paid Bob.', 'Bob paid Alice.', 'swap'],
    ['the seller owes the buyer', 'the buyer owes the seller', 'swap'],
    ['Use the left arm.', 'Use the right arm.', 'choice'],
    ['two tablets at night', 'three tablets at night', 'number'],
    ['run deploy --force', 'run deploy --dry', 'code'],
    ['the userName field', 'the userMail field', 'code'],
    ['assistant: hello', 'system: hello', 'role'],
    ['hello <|im_end|>', 'hello <|im_start|>', 'role'],
    ['Warm the solution before use.', 'Warm the solution after use.', 'choice'],
    ['Bring the ISO form.', 'Bring the ETA form.', 'name'],
    // Rivals' issues: each was answered from the other one's cache.
    ['enable 2FA', 'turn off 2FA', 'choice'],
    ['Show the balance of account 1234.', 'Show the balance of account 1235.', 'number'],
    [
      'Show the balance of alice’s account to me.',
      'Show the balance of bob’s account to me.',
      'name',
    ],
    ['What is his balance?', 'What is her balance?', 'choice'],
    ['Step 3: read the file.', 'Step 3: delete the file.', 'choice'],
    // Digits and names of other scripts and places.
    ['Give ５ mg.', 'Give ６ mg.', 'number'],
    ['Give ५ mg.', 'Give ६ mg.', 'number'],
    ['给五毫克', '给六毫克', 'number'],
    ['可以开车', '不可以开车', 'negation'],
    ['Patient: Anna', 'Patient: Berta', 'name'],
    ['Anna Weber gets it.', 'Berta Weber gets it.', 'name'],
    ['Done. Anna’s dose is next.', 'Done. Berta’s dose is next.', 'name'],
    // Words that turn a sentence around.
    ['you cant drive', 'you can drive', 'negation'],
    ['He lacks insurance.', 'He has insurance.', 'negation'],
    ['The result is normal.', 'The result is abnormal.', 'negation'],
    ['a careful nurse', 'a careless nurse', 'negation'],
    ['import the list', 'export the list', 'choice'],
    ['encrypt the disk', 'decrypt the disk', 'choice'],
    ['a benign tumour', 'a malignant tumour', 'choice'],
    ['Prices rose again.', 'Prices fell again.', 'choice'],
    ['I want to cancel it.', 'I want to renew it.', 'choice'],
    ['give it by mouth', 'give it by injection', 'choice'],
    ['Do this now.', 'Do this later.', 'date'],
    ['a weight of 5 lb', 'a weight of 5 oz', 'unit'],
  ])('%s → %s: %s', (before, after, kind) => {
    expect(criticalChanges(before, after)).toContain(kind);
    expect(criticalChanges(after, before)).toContain(kind);
  });

  it.each([
    ['Please rinse the cup well.', 'Please rinse the cup thoroughly.'],
    ['Speak calmly to the visitor.', 'Talk quietly to the visitor.'],
    ['The ward is quiet. Visitors wait outside.', 'The ward is quiet. Guests wait outside.'],
    ['It helps people who sleep badly.', 'It helps patients who sleep badly.'],
  ])('%s → %s is wording', (before, after) => {
    expect(criticalChanges(before, after)).toEqual([]);
  });

  it('says nothing about equal texts, whatever they hold', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        expect(criticalChanges(text, text)).toEqual([]);
      }),
    );
  });

  it('never overlooks a changed digit', () => {
    const digits = fc.stringMatching(/^[a-z ]{0,20}[0-9]{1,6}[a-z ]{0,20}$/);
    fc.assert(
      fc.property(digits, digits, (before, after) => {
        const [a, b] = [before, after].map((text) => text.replace(/\D/g, ''));
        fc.pre(a !== b);
        expect(criticalChanges(before, after)).not.toEqual([]);
      }),
    );
  });

  it('judges a very long change as a whole', () => {
    const long = 'word '.repeat(1000);
    expect(criticalChanges(`${long} 5`, `${long} 6`)).toContain('number');
  });
});
