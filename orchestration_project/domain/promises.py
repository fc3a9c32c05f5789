# ruff: noqa: E501 - an alternative with many words stays in one line
"""Promises: the ways to promise something, in each language that drafts are written in."""

import re
from collections.abc import Mapping


def _any(phrases: str) -> re.Pattern[str]:
    """A pattern for any of some phrases, a line each; over folded text."""
    return re.compile("|".join(line.strip() for line in phrases.strip().splitlines()))


PROMISES: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    "en": {
        "date": _any(
            r"""
            (extend|postpone|defer|delay|prolong|push back|stretch)\w* [^.!?]{0,40}(payment|term|deadline|due|invoice|contract|date|period)
            (more|extra|additional) time (to|for) (pay|settl)\w*|grace period|(pay|settle) (\w+ )?(later|in instal\w+)
            instal?lments?|(call|ring|phone|visit) you (back )?(on|at|in|tomorrow|later)
            """
        ),
        "discount": _any(
            r"""
            (don't|do not|needn't|won't|will not|no longer) (need to |have to )?pay\b|\b(at|for) (no|zero)\b
            \bfor nothing\b
            half (your|the|of (your|the)) (price|bill|fee|invoice|rate|cost)s?|freez\w+ [^.!?]{0,30}(price|rate|fee)
            (extra|additional|more|bigger) (seat|user|licen[cs]e|storage|credit|feature)s? [^.!?]{0,40}(includ|no |without|for you)
            throw\w* in|(upgrad\w+|mov\w+) you [^.!?]{0,30}without
            discount|rebate|voucher|coupon|gift|bonus|complimentary|preferential|on the house|half[ -]price
            promo(tion|tional)? (code|price|rate)|special (offer|price|rate|deal|terms)|better (price|rate|deal|terms)
            (%|per ?cent) (off|cheaper|less (for|on))
            (price|rate|fee|cost)s? (cut|reduction|freeze|reduced|lowered|break)
            (price|rate|fee|cost)s? (will )?(stay|remain|hold|be frozen|be held|won't)
            \b(reduc|lower|cut|halv)\w* [^.!?]{0,40}(price|bill|fee|invoice|rate|cost|charge|amount|off)
            \b(knock|shav|trim|slash)\w* [^.!?]{0,40}(price|bill|fee|invoice|rate|cost|charge|amount|off)
            (tak\w*|wip\w*) [^.!?]{0,30}off (the|your|its|this) (\w+ )?(price|bill|fee|invoice|rate|balance)
            free\b(?! (to|of any|up))|(no|without) (extra |any |additional )?(charge|cost|fee|pay\w+)|on us\b|waiv\w+
            extra (month|week|seat|licen)\w*|upgrade (you|your account)\b
            forgiv\w+ (the|your|this|that) (debt|invoice|balance|bill|amount|payment)|writ\w+ [^.!?]{0,20}off\b
            \bpric(e|es|ing)\b|cost\w* (you )?(nothing|less|extra|anything|any more)
            (not|n't|never|nothing) (have )?(to )?pay\b
            at our (own )?(cost|expense)|our treat|cover\w* (the|your) (cost|bill|fee|invoice)
            pick\w* up the (bill|tab)|budget-friendly
            skip\w* (the|your|this|next)[^.!?]{0,20}(payment|invoice|bill)|(bill|charge)\w* you (only|less)
            pay (only|less|nothing)
            """
        ),
        "refund": _any(
            r"""
            refund|money[- ]back|reimburs\w+|compensat\w+|\bcredit(s|ed|ing)?\b|make it up to you
            make (this|that) right
            (pay\w*|giv\w*|return\w*|transfer\w*|send\w*) [^.!?]{0,40}to your (account|card|bank)
            (amount|fee|difference) back\b
            (pay|return|transfer|send)\w* (you )?(back )?(the |your |some |any )?(money|amount|difference|fee)
            cancel\w* (that|the|this|your) (invoice|charge|bill)
            """
        ),
        "guarantee": _any(
            r"""
            priority (support|treatment|access|handling)|dedicated (support|contact|manager|engineer|team)|vip\b
            (top|first) in (line|the queue)
            (handled|treated|dealt with|answered|served) (first|with priority)|you (can )?(rely|depend|bank) on
            you will (no longer|always)
            (everything|it|this|that|the \w+) will (work|function|be (gone|over|back|fine))
            (cancel|leave|terminate|withdraw) at any time|(exit|opt out) (any ?time|whenever)|no strings|rest assured
            guarant\w+|promis\w+|assur\w+|warrant\w*|count on (us|it|a|me)\b|you have my word|commit\w* to|penalty
            (never|will not|won't) (happen|again|see|lose|have to|come back|return|occur|break)|without fail
            no matter what|(sla|uptime) (of|at)\b
            will be (fixed|resolved|solved|ready|live|done|shipped|delivered|released)
            """
        ),
    },
    "de": {
        "date": _any(
            r"""
            (verlanger|verschieb|verschob|aufschieb|aufgeschob|stund|hinausschieb|streck)\w* [^.!?]{0,40}(zahlung\w*|frist|rechnung|laufzeit|falligkeit)
            (zahlungsziel|zahlungsfrist|frist|falligkeit)\w* [^.!?]{0,50}(verlanger|verschieb|verschob|aufgeschob|erweiter|ausgedehnt|hinaus)\w*
            mehr zeit (zum|fur|zur) (be)?zahl\w*|ratenzahlung|in raten|\bschonfrist
            """
        ),
        "discount": _any(
            r"""
            ohne (jede |jegliche |weitere |zusatzliche |irgendwelche )?(kosten|gebuhr\w*|zuschlag|entgelt|bezahlung|etwas zu (be|ver)?(zahlen|rechnen))
            nichts (zu )?(be)?zahlen|nicht (mehr )?(be)?zahlen|(nichts|etwas|kein\w*)( \w+)? (zu )?berechnen
            weniger (be)?zahlen|zahlen sie (dann )?(weniger|nichts)
            halbier\w*|\bsenk(e|en|t)\b|\breduzier(e|en|t)\b|\berlass(e|en|t)?\b|\bverzicht(e|en|et)\b|geschenk\w*
            schenk(e|en|t)\b|frier\w* [^.!?]{0,40}\bein\b|einfrier\w*
            \bzusatzliche (lizenz|nutzer|platz|plat|speicher)\w*|obendrauf|dazu geschenkt|hoherstuf\w*
            stuf\w* sie (hoch|hoher)
            rabatt|nachlass(?!en|t\b)|gutschein|vergunstig\w+|ermaßig\w+|ermassig\w+|kostenlos\w*|gratis|kostenfrei\w*
            umsonst
            sonder(preis|kondition|angebot)\w*|\b(erlassen|erlasse|verzichten|senken|reduzieren)\b|geschenkt?|schenken
            \bpreis\w*|entgegen(kommen|zukommen)?\b|entgegengekommen|auf unsere (rechnung|kosten)
            nichts (zu )?zahlen|ubernehmen wir
            \bgebuhr\w* [^.!?]{0,40}(fallen|verzicht)|\b(lassen|lasse) [^.!?]{0,60}\bfallen\b|\bentfall\w*
            fallen (dann )?weg
            preis(nachlass|senkung|garantie)|freimonat|ohne (aufpreis|berechnung|mehrkosten|zusatzkosten)
            weniger (zahlen|bezahlen)|(%|prozent) (auf|gunstiger|billiger)|gunstiger\w*|billiger|auf unsere kosten
            aufs haus
            """
        ),
        "refund": _any(
            r"""
            gut(zu)?schreiben|wiedergutmach\w*|bekommen [^.!?]{0,30} zuruck|zuruckgeb\w*|geben [^.!?]{0,40} zuruck
            erstatt\w*|geld zuruck|zuruck(zahl|uberweis|erhalt)\w*|entschadig\w*|gutschrift\w*|gutschreib\w*
            gutgeschrieben
            stornier\w*|kulan\w*
            """
        ),
        "guarantee": _any(
            r"""
            (bevorzugt|vorrangig|priorisiert)\w*|priority|vip\b|zuerst (bearbeitet|behandelt|beantwortet)
            \bfest(e|er|en) ansprechpartner
            jederzeit [^.!?]{0,40}(kundig|aussteig|beend)\w*|versichere\w*
            (haben|gebe\w*) [^.!?]{0,12}(mein|unser) wort|mein ehrenwort
            (alles|es|das|der \w+) (wird )?[^.!?]{0,25}(funktionieren|verschwind\w+|verschwunden)
            \bnie(mals)? (mehr|wieder)|konnen sie (fest )?(rechnen|zahlen|bauen)|rechnen sie [^.!?]{0,20}mit
            (konnen|durfen) (sie )?[^.!?]{0,60}\brechnen\b|sorge(n)? (wir )?dafur|\bstellen? (wir )?sicher\b
            garant\w+|versprech\w+|versproch\w+|zusicher\w+|zugesichert|versicher\w* ihnen|verlassen sie sich
            nie wieder
            auf jeden fall|(wird|werden) (behoben|gelost|erledigt|ausgeliefert)|zusage\w*|sagen (wir )?ihnen zu
            """
        ),
    },
    "fr": {
        "date": _any(
            r"""
            (prolong|report|repouss|decal|differ|etal)\w* [^.!?]{0,40}(paiement|delai|echeance|facture|contrat|date)
            (delai|echeance)s? [^.!?]{0,30}(prolong|report|repouss|supplementaire)\w*
            plus de temps pour (payer|regler)|en plusieurs fois|echelonn\w+|delai de grace
            (dans|sous) (l'heure|la journee|la semaine|\w+ (heures?|jours?|semaines?))\b
            """
        ),
        "discount": _any(
            r"""
            sans (aucun |autre |rien )?(frais|surcout|cout|supplement|facturer|payer)
            (rien|n'avez pas) a (payer|regler)|n'aurez (rien|pas) a|paierez moins
            (baiss|redui|divis|diminu|all?eg)\w* [^.!?]{0,30}(prix|facture|frais|tarif|cout|montant)
            gel(e|er|ons|erons|erai)\b [^.!?]{0,30}(prix|tarif)|\ba notre charge|moitie prix
            (licence|utilisateur|siege|module)s? (supplementaire|en plus)s?|bon de reduction|\bpenalite
            \bremises?\b(?! en)|reduction|rabais|ristourne|bon d'achat|code promo|promotion|gratuit\w*
            offer(t|te|ts|tes)\b|offrons
            offrirons|offrir|cadeau|sans (frais|supplement|surcout)|geste commercial|tarif (prefer|reduit|special)\w*
            prix (reduit|special|bloque)\w*|(baiss|renonc|annul)\w+ [^.!?]{0,30}(prix|facture|frais|tarif)|moins cher
            a nos frais|a notre charge|pren\w+ en charge|faire grace|faire un (geste|effort)|\bprix\b|rien a payer
            ne paie\w*
            """
        ),
        "refund": _any(
            r"""
            \bun avoir\b|credite\b|(rend|revers|retourn)\w* [^.!?]{0,30}(argent|somme|montant|paye|verse)
            vous (rend|revers)\w+
            rembours\w+|dedommag\w+|\bun avoir (de \d|sur|pour)|credit(er|erons|ons)\b|restitu\w+|compens\w+
            indemnis\w+
            """
        ),
        "guarantee": _any(
            r"""
            (support|traitement|acces|service|assistance) prioritaire|en priorite|prioritair\w*|vip\b
            interlocuteur (dedie|attitre)|traites? en premier
            (resili|quitt|arret|annul)\w+ (a tout moment|quand vous)|tout moment sans
            (vous avez|donne) (ma|notre) parole|ma parole|(ferai|ferons|veillerai|veillerons) (a ce que|en sorte)
            (tout|cela|l'erreur|le probleme) (fonctionnera|marchera|disparaitra)|vous assure\w*|assurons que
            comptez sur|pouvez compter|ne (verrez|aurez) plus|plus jamais
            garanti\w*|promet\w*|promis\w*|promess\w*|nous (nous )?engage\w*|je m'engage|vous assur\w+
            soyez (assure|certain)\w*|plus jamais|(sera|seront) (corrige|resolu|regle|livre|repare)\w*
            compter sur (nous|moi)\b
            """
        ),
    },
}
"""Kinds of promise, by the words that they are made with; over folded text."""
GIVING: Mapping[str, re.Pattern[str]] = {
    "en": _any(
        r"""
        \b(no|not|n't|without an?) [^.!?]{0,20}\b(invoice|bill|payment|charge|fee)s? (for|this|next|any)\b
        \b(worry|think|care) about (the|your|this|that) (bill|invoice|payment|fee|cost|amount)
        \b(won't|will not|doesn't|does not) cost|\b(cheaper|less expensive)\b|\bbetter (condition|offer)s?
        \bspecial treatment
        \bconsider (the|your|this|it)\b[^.!?]{0,40}(settled|paid|done|closed|solved|resolved|cancel\w+)
        \b(take|taking|bear|carry|assume|absorb|shoulder)(s|ing)? (over |on )?(the|all|any|your) (cost|fee|expense|charge)s?
        \b(i|we)('ve| have) (already |just )?(decided|agreed|arranged|added|upgraded|extended|raised|increased|reserved|credited|asked \w+ to|put you|moved you|placed you|granted|prepared)\b
        \b(we|i) (are|am) (prepared|ready|willing|able) to
        \bour (team|engineers?|developers?) (works?|is working|are working|will|has|have)\b
        \b(will|'ll) be (available|there|back|cheaper|faster|better|gone|over|fine)
        \b(expect|look forward to) (a|an|the|our) (solution|fix|answer|reply|improvement|update|refund|credit)
        \b(we|i) can( \w+ly| also)* (give|reduce|extend|waive|cover|refund|credit|add|includ|upgrad|grant|cancel|write off|delay|postpon|guarantee)\w*
        \b(we|i)('ll| will| are going to| am going to)( \w+ly| also| only| not| gladly)* (?!be (happy|glad|brief|pleased|honest|grateful)|imagine|see|understand|tell|look|listen|explain|pass|help|answer|learn|ask|read|say|talk|speak|raise|represent|hear|think|guess|relate|discuss|only|appreciate|assume|write|keep|clear|have to|need)\w+
        \b(i|we)('d| would)( be)? (happy|glad|pleased|love|like) to (give|reduce|extend|waive|cover|refund|credit|add|include|upgrade|grant)\w*
        \blet (me|us) (?!know|understand|explain|put|say|ask|guess|start|tell|hear|talk|be|introduce|simply|get|just|first|begin|add|mention)\w+
        \byou('ll| will)( \w+ly| also| soon)* (?!find|know|see|need|tell|agree|understand|remember|have noticed|excuse|forgive)\w+
        \byou (can|may)( \w+ly| also| just)* (?!reply|answer|tell|write|see|reach|imagine|have|be|well|already|not|know|ignore|disregard|say|wonder|think|use|find|feel|send|respond|let|suggest|hit|drop|call|pass|forward|choose|decide|contact|judge|see|best)\w+
        \byou (get (an?|it|this|extra|more|free|\d+)|receive (an?|your|extra|more)|have until|are entitled|are eligible|qualify|deserve)\b
        \b(will|shall) be (?!happy|glad|brief|up\b|due\b|possible|useful|helpful|able|interest|grateful|of\b)\w+(ed|en|ne|ut|id)\b
        """
    ),
    "de": _any(
        r"""
        \b(gibt es|kommt|schicken wir|stellen wir)( \w+)* (keine|nicht) (rechnung|gebuhr|kosten|mahnung)
        \bkeine (weitere |neue )?(rechnung|gebuhr|kosten|mahnung)\w*
        \b(rechnung|betrag|zahlung|gebuhr)\b [^.!?]{0,20}\b(mussen|brauchen) sie (sich )?(nicht|keine)
        \bkost(et|en) sie (nichts|keinen|nicht|weniger)|\bgeht auf uns\b|\b(trag|ubernehm)\w* [^.!?]{0,20}kosten
        \b(bessere|besondere) (kondition|behandlung|angebot)\w*|\bbesonders behandelt
        \bbetrachten sie (die|ihre|den|das|alle)\b [^.!?]{0,40}als (bezahlt|erledigt|beglichen|gelost|storniert)
        \b(geringer|niedriger|kleiner)e[nrms]? (betrag|summe|preis|gebuhr)
        \b(ich|wir) (habe|haben) (sie|ihr|ihre|ihren|ihrem|ihnen|beschlossen|veranlasst|die \w+ gebeten)\b,? [^.!?]*(stuf|gesetzt|gestellt|erweitert|erhoht|aufgestockt|freigeschaltet|verlangert|reserviert|zu geben|zu streichen|eingeplant|vorgemerkt|gegeben)\w*
        \b(wir|ich) (sind|bin|waren) (gern )?bereit
        \bunser\w* (team|entwickler\w*|techniker\w*|kollegen) (arbeit|kummer|lost|losen|sorg|beheb|wird|werden|hat|haben)\w*
        \b(unser|ihr) \w+ wird (immer|stets|besonders|wieder|gunstiger|schneller|besser)
        \b(kommt|tritt) nicht (wieder|mehr)|\b(version|update|release)\b
        \b(bringe?n?|bring) [^.!?]{0,30}(in ordnung|vor unsere|zur geschaft)
        \bwird [^.!?]{0,20}(wiederhergestellt|ersetzt|geloscht|korrigiert)|\blege?n? [^.!?]{0,30}\bdrauf\b
        \bhoren sie von (mir|uns)|\b(ruck|nach)zahlung\b|\b(bis dahin|dann|bald) haben sie
        \b(wir|ich) (?!schreib|dank|mocht|wurd|wunsch|stell|sag|erklar|hor|glaub|helf|rat|erzahl|zeig|biet|teil|verrat|schick|send|steh|hab|war|kann|konn|will|woll|soll|darf)\w{3,}e[nt]? ihnen\b
        \b(wir|ich) (kann|konnen|konnte|konnten) ihnen (?!helfen|sagen|erklaren|zeigen|erzahlen|behilflich)[^.!?]*\b(geben|bieten|anbieten|machen|gewahren|erlassen|ersetzen|einraumen)\b
        \b(wir|ich) (schenk|gewahr|gonn|ersetz|ersetzt|raum|spendier|zieh|streich|buch|lass|ubernehm|kummer|losch|verbesser|reparier|richt|sorg|garantier|verkurz|beschleunig|erhoh|erweiter|schalt)\w*
        \bsie (erhalten|bekommen|durfen|kriegen)(?! (soll|sollen|mochte|mochten|hat|haben|konn|wird))
        \bsie (durfen|kriegen|profitieren|haben (noch )?bis|haben anspruch|sparen)\b
        \bsie konnen (?!mir|uns|einfach|gern|diese|darauf|auf|antworten|sich|auch|direkt|jederzeit (antworten|schreiben))\w+
        (betrag|rechnung|gebuhr|kosten|summe|forderung|fehler|problem|preis|ruckstand|posten)\w* (wird|werden) (?!seit|bei|noch|in unser|als|offen)\w+
        \bbonus|\bpramie|\bals danke?(schon)?\b|\bzum dank\b|monat\w* dazu\b|\bbetrag zuruck|drankomm\w*
        """
    ),
    "fr": _any(
        r"""
        \b(pas|aucune|plus) (de |d')?(facture|frais|penalite)s? (pour|ce|cette|a)\b
        \b(vous )?(soucier|preoccuper|inquieter) (de|pour) (la|cette|votre) (facture|paiement)
        \b(coutera|coute)\w* (pas|rien|moins)\b|\bpas un centime
        \best pour nous\b|\b(assum|support|absorb)\w* (les|vos|tous|ces) (cout|frais|depense)s?
        \bmeilleures? (condition|offre)s?|\bmontant (inferieur|reduit|moindre)|\btraites? a part
        \btraitement (special|de faveur)
        \bconsiderez [^.!?]{0,40}(regle|paye|annul|resolu|solde)\w*|\battendez-vous a|\bsous peu\b
        \bavant (midi|ce soir|demain)
        \bj'ai (ameliore|ajoute|augmente|place|mis a|reserve|accorde|demande a|etendu|obtenu)
        \b(je|nous) vous (ai|avons) (place|mis|ajoute|accorde|reserve|inscrit|offert)\w*
        \bnous avons (decide|convenu|ajoute|augmente|reserve|accorde)
        \bnous sommes (prets|disposes)
        \b(notre|nos) (equipe|ingenieur|developpeur|technicien|collegue)s? (travaill|s'occup|corrig|regl|resoud|va|vont|a|ont)\w*\b
        \bsera (toujours|encore|de nouveau|bientot)|\bne (reviendra|reviendront|se reproduira)
        \b(je|nous) (ne )?((nous|vous|me|le|la|les) ){0,2}(?!ser(ai|ons) (bref|ravi|heureu)|signal|transmett|renseign|demand|dir|prefer|esper|consider|montr|rencontr)\w+(erai|irai|rons)\b
        \bj'(ajoute|offre|annule|efface|enleve|efface)|\baura (disparu|ete)|\bprochaine version
        \b(nous|je) (ne )?vous (?!ecri|demand|remerci|pri|pos|contact|propos|av|ai\b|dis|souhait|adress|laiss|en\b|l'|la |le |y\b|voi|sais|croi|prie|connai|ecout|suis|sommes|entend|envoy|transm|interrog|parl|present|aid|apport|rappel|lis|compren|signal|appell|joign)\w+
        \b(nous|je) (ne )?(le |la |les )?(offr|accord|effac|support|annul|rembours|installer|garanti|augment|amelior|ajout|rembours)\w*
        \bvous (recevrez|recevez|beneficie\w*|aurez|serez|obtien\w*|avez (droit|jusqu'\w+)|pourrez|economis\w*)\b
        \bvous pouvez (?!me|nous|simplement|m'|aussi|egalement|tout|repondre|y |dire|imagin|ecrire|ignorer)\w+
        \b(sera|seront) (?!utile|ravi|heureu|bref|disponible|renouvel|la |le |un )\w{3,}(e|i|u|is|it)(e|s|es)?\b
        \bbonus|\bprime\b|pour vous remercier|(mois|semaine|jour|annee)s? de plus\b
        laissez-moi (?!vous (dire|expliquer|demander|poser|ecouter|parler))\w+|que vous passiez
        """
    ),
}
"""Ways to say what somebody will do for the reader, or what the reader gets: promises, whatever they are about.

Asking, telling and listening are none.
"""
DATED_TIMES: Mapping[str, re.Pattern[str]] = {
    "en": _any(
        r"""
        \b(tomorrow|tonight|yesterday|overnight|fortnight|q[1-4]|christmas|easter|new year|midnight|noon)\b
        \b(next|coming|following) (week|month|quarter|year|weekend)\b|\b\d{1,2} ?(am|pm|o'clock)\b
        \bend of (the |this |next )?(week|month|quarter|year)\b
        \b(last|previous) (week|month|quarter|year|spring|summer|autumn|winter)\b
        """
    ),
    "de": _any(
        r"""
        \b(ubermorgen|gestern|heute abend|morgen (fruh|vormittag|nachmittag|abend)|weihnachten|ostern|mitternacht)\b
        \b(nachste|kommende|letzte|vorige)[nrs]? (woche|monat|quartal|jahr)
        \b(ende|anfang|mitte) (der|des|dieser|dieses) (woche|monat|quartal|jahr)
        \b\d{1,2} uhr\b|\bab morgen\b|\bmorgen\b(?= (endet|lauft|beginnt|wird))
        """
    ),
    "fr": _any(
        r"""
        \b(demain|hier|apres-demain|ce soir|noel|paques|minuit|midi)\b
        \b(semaine|mois|annee|trimestre) (prochaine?|derniere?|passee?)\b
        \b(fin|debut) (de la |du )(semaine|mois|trimestre|annee)|\bfin de l'annee\b|\b\d{1,2} ?(h|heures)\b
        """
    ),
}
"""Times that name a day by themselves, so that they can be wrong."""
COMMITMENTS: Mapping[str, re.Pattern[str]] = {
    "en": _any(
        r"""
        \b(we|i|our|team|engineers?|it|this|fix|patch|feature)\b[^.!?]{0,60}\b(will|shall|going to)\b
        \b(we|i|our|team|engineers?|it|this|fix|patch|feature)\b[^.!?]{0,60}\b(is due|are due|arrive|ship|land)\b
        \b(we|i|it)'ll\b|\b(due|ready|fixed|resolved|delivered|shipping|scheduled|expect)\b
        """
    ),
    "de": _any(
        r"""
        \b(wird|werden|werde|wirst|liefern|liefert|beheben|losen|kommt|bekommen|erhalten|melden|melde|rufe|fertig|bereit)\b
        \berledig\w+|\b(ge|be)(lost|hoben|fixt)\b|\b(lost|behebt|macht|schafft|erledigt)\b
        \b(schick|send|stell)(e|en)\b
        """
    ),
    "fr": _any(
        r"""
        \w(rons|ront|rai|rez|ra)\b|\b(allons|vais|va|vont|pret|prete)\b|\b(livr|corrig)\w+
        """
    ),
}
"""Words by which somebody commits to something."""
RELATIVE_TIMES: Mapping[str, re.Pattern[str]] = {
    "en": _any(
        r"""
        \b(today|tonight|tomorrow|overnight|shortly|soon|immediately|asap|eod|eow|q[1-4]|christmas|easter|new year)\b
        \b(this|next|coming|following) (week|month|quarter|year|release|sprint|weekend)\b|\b(right|straight) away\b
        \b(by|before|until) (the )?(end|close|start|middle)\b
        \bend of (the |this |next )?(day|week|month|quarter|year)\b
        \bwithin (a |an |the |\d+ |\w+ )?(hour|day|week|month)s?\b|\b(spring|summer|autumn|winter)\b
        \bin (a |an |the next |the coming )?(few |couple of )?(hour|day|week|month)s?\b
        \b(by|before) (mon|tues|wednes|thurs|fri)day
        """
    ),
    "de": _any(
        r"""
        \b(heute|morgen|ubermorgen|sofort|umgehend|bald|demnachst|mittwoch|quartal|fruhjahr|sommer|herbst|winter)\b
        \b(diese|nachste|kommende)[nrs]? (woche|monat|quartal|jahr)
        \b(innerhalb|binnen|spatestens|noch vor|in kurze)\b
        \bbis (zum|ende|montag|dienstag|mittwoch|donnerstag|freitag|morgen)
        \b(ende|anfang|mitte) (der|des|dieser|dieses)\b
        \bin (ein|zwei|drei|wenigen|den nachsten) (tag|woche|monat|stunde)|\b(mon|diens|donners|frei|sams|sonn)tag
        """
    ),
    "fr": _any(
        r"""
        \b(aujourd'hui|demain|bientot|rapidement|immediatement|tout de suite|trimestre|printemps|automne|hiver)\b
        \b(semaine|mois|annee) (prochaine?|suivante?)\b|\bcette (semaine|annee)\b|\bce mois\b|\bd'ici\b
        \bavant (la |le |l'|fin)|\b(fin|debut) (de |du )
        \b(dans|sous) (l'|la |les |\w+ )?(heure|jour|journee|semaine|mois)s?\b
        \ben (un|une|quelques|moins d'une?|deux|trois|quatre|cinq) (heure|jour|journee|semaine|mois)s?\b
        \bsous \w+ (heures|jours)
        \b(lundi|mardi|mercredi|jeudi|vendredi)\b
        """
    ),
}
"""Times by which something might be promised to happen."""
