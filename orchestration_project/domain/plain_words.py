"""Plain words: all that a message to a customer may be made of, in each language, beside its facts.

A short vocabulary, as in controlled languages for manuals: there are endless ways to promise something or to say what
is not known, and nearly all of them need a word that noticing and asking does not.
"""

from collections.abc import Mapping


def _entries(text: str) -> tuple[str, ...]:
    """Words that are separated by spaces, and phrases that are a line each and begin with a dash."""
    lines = [line.strip() for line in text.strip().splitlines()]
    words = [word for line in lines if not line.startswith("- ") for word in line.split()]
    return (*words, *(line.removeprefix("- ") for line in lines if line.startswith("- ")))


STATED: Mapping[str, tuple[str, ...]] = {
    "en": _entries(
        """
        for if in a an the this that these those it its and or but as so than to of on at by from with about over
        during since is are was were be been has have had do does did we us our you your i me my they them their there
        here who which what when where how whether also only quite still very some something other same such because
        while though however product software team colleagues people side last past recent recently lately compared
        comparison previous earlier preceding period usual usually records figures numbers account see saw seen
        noticed notice seems seem shows show showed according change changed question questions asking short wanted
        message note writing know understand ask behind yours regular regularly frequent often hear little small big
        main part different normal few simply clearly mostly hardly slightly noticeably rather already far ago moment
        busy calm impression opinion view thoughts experience topic am another more each between into out up across
        again yet even just too then upon whose whom myself itself themselves think feel learn guess find
        - looking at
        - active days
        - of these days
        - the data
        - per day
        - so far
        - in all
        - of late
        - before
        - the time before
        - some time
        - there may be a good reason
        - there may be good reasons
        - good reason
        - your company
        - our data
        - usage data
        - has become
        - have become
        - with us
        - would like
        - would rather
        - want to
        """
    ),
    "de": _entries(
        """
        der die das den dem des ein eine einen einem einer eines dieser diese dieses diesen diesem dies es und oder
        aber so als wie wenn ob dass zu zum zur von vom in im an am auf aus bei beim für mit nach über um seit vor
        während durch gegenüber ist sind war waren sei wäre sein hat haben habe hatte hatten wurde wurden worden wir
        uns unser unsere unserem unseren unserer unseres sie ihnen ihr ihre ihrem ihren ihrer ihres ich mir mich mein
        meine da dort hier wer was wann wo welche welcher welches auch nur noch sehr etwas andere anderen weil
        allerdings jedoch dabei damit davon dazu darüber produkt produkts software team teams kolleginnen kollegen
        leute seite letzten vergangenen zuletzt vergleich vorherigen früher früheren zuvor davor zeit zeitraum üblich
        üblichen gewohnt unterlagen daten konto sehen sehe gesehen aufgefallen bemerkt festgestellt fällt zeigen zeigt
        laut verändert veränderung geändert änderung frage fragen kurze kurz nachricht schreibe schreiben wissen
        verstehen wollen wollte wollten möchten möchte gern gerne erfahren nachfragen hören raten einiger sich dafür
        gibt dahinter steckt ihrerseits wenig klein groß regelmäßig häufig einfach deutlich kaum leicht bereits schon
        eindruck meinung sicht gedanken erfahrung thema aktuell momentan gerade derzeit bislang bisher insgesamt
        spürbar merklich seither seitdem fast mehrere einige deshalb daher nachzufragen verstehe erkennen offenbar bin
        man sondern denn trotzdem zwar sogar eher ganz wieder erst dann danach darin dessen deren solche wem wen unter
        zwischen gegen selbst vielleicht leider einmal doch eben genau sowie etwa rund finden denken
        - vielleicht gibt es gute gründe
        - es kann gute gründe geben
        - es mag gute gründe geben
        - guten grund
        - die zahlen
        - den zahlen
        - der zahlen
        - unsere zahlen
        - unseren zahlen
        - gute gründe
        - fragen lieber
        - frage lieber
        - frage ich lieber
        - fragen wir lieber
        - ihr unternehmen
        - ihrem unternehmen
        - würden gern
        - würde gern
        - würden wir gern
        - würde ich gern
        """
    ),
    "fr": _entries(
        """
        le la les l un une des du de d ce cet cette ces cela c ça il elle ils elles on et ou mais si que qu qui dont
        où quand comme plus à a au aux en dans sur sous pour par avec chez depuis pendant entre est sont était étaient
        être été ai avons avez ont avait avaient nous vous notre nos votre vos je j me m mon ma y n ne s se aussi
        encore très quelque chose quelques autre autres même tel parce car cependant produit logiciel équipe équipes
        collègues personnes côté derniers dernières dernier dernière récemment rapport comparaison précédent
        précédente précédents précédentes auparavant avant période habitude habituel habituelle jour temps données
        chiffres compte voir vois voyons vu remarqué constaté constate constatons semble montrent montre indiquent
        selon d'après changé changement évolué question questions courte message note écris écrivons savoir savons
        comprendre demander apprendre connaître sujet auprès cause sommes avions étions êtes expérience avis réponse
        ensemble actuellement beaucoup nettement directement régulier suis leur leurs eux lui ni puis donc alors ainsi
        toutefois pourtant voici peu assez trop bien seulement surtout plutôt lors lorsque eu indique penser trouver
        demandons préférons préfère souhaite souhaitons deviner
        - en ce moment
        - peut-être
        - au cours
        - la dernière fois
        - a peut-être déjà été réglée
        - avoir de vos nouvelles
        - eu moins de nouvelles
        - nous aimerions
        - j'aimerais
        - nous voudrions
        - je voudrais
        - nous souhaitons
        - je souhaite
        - nous préférons demander plutôt que deviner
        - je préfère demander plutôt que deviner
        - il y a peut-être une bonne raison
        - il y a peut-être de bonnes raisons
        - bonne raison
        - bonnes raisons
        - votre entreprise
        - votre société
        """
    ),
}
"""What may be stated of anything."""

ASKED: Mapping[str, tuple[str, ...]] = {
    "en": _entries(
        """
        can could would may might should please not no any anything everything anybody anyone somebody someone person
        like want wish need needs needed think feel find found tell say share explain describe help helps helped
        helpful useful use uses used work works worked working fit fits suit suits miss missing missed better easier
        difficult hard harder wrong right well happy satisfied expect expected expectations happened happening behind
        reason reasons cause caused causes stop stops stopped prevents keeps way ways thing things most matter matters
        important talk speak conversation briefly look together hear learn ask answer reply else responsible contact
        get make makes go going goes went come comes improve improved task tasks process processes workflow workflows
        project projects priorities requirements situation role roles feature features step steps up all more less now
        yourselves us into both between meets meet met enough still topic view opinion experience current currently
        organised reorganised moved struggling struggle stuck obstacle receive main part daily different affect sense
        obstacles difficulties difficulty problem problems trouble troubles bothers frustrating unclear clear clearer
        goals
        - let us know
        - let me know
        - in charge
        - get in the way
        - getting in the way
        - in the way
        - getting on
        - at the moment
        - right now
        - why
        """
    ),
    "de": _entries(
        """
        kann können könnten könnte würde würden dürfen darf soll sollen sollte sollten bitte nicht kein keine keinen
        nichts alles jemand niemand person wünschen brauchen braucht benötigen denken finden sagen teilen erklären
        beschreiben schildern helfen hilft hilfreich nützlich nutzen nutzt genutzt arbeiten arbeitet arbeit
        arbeitsweise passt passen fehlt fehlen vermissen besser leichter einfacher schwierig schwer falsch richtig gut
        zufrieden erwarten erwartet erwartungen passiert geschehen dahinter grund gründe ursache ursachen liegt daran
        woran hindert hält gehindert weg art weise ding dinge meisten wichtig wichtigsten sprechen gespräch kurz
        gemeinsam zusammen lernen antworten antwort zuständig ansprechpartner kontakt geht läuft laufen gehen kommt
        kommen machen macht tun verbessern verbessert aufgabe aufgaben prozess prozesse abläufe ablauf projekt
        projekte prioritäten ziele anforderungen bedarf lage rolle rollen funktion funktionen schritt mehr weniger
        jetzt derzeit aktuell momentan gerade beide genug thema sicht meinung erfahrung organisation umgestellt hängt
        stockt hürde hürden hindernis hindernisse schwierigkeiten schwierigkeit problem probleme ärger stört unklar
        klar mal anderes inzwischen mitteilen verraten warum weshalb wieso wofür womit wodurch worauf welchem welchen
        - im weg
        - im wege
        - bei ihnen
        - besser werden
        - jemand anderes erhalten
        """
    ),
    "fr": _entries(
        """
        peut pouvez pourriez pourrait pourrions puis-je pouvons-nous puis peuvent doit devrait devrions pas aucun
        aucune rien tout toute tous quelqu quelqu'un personne aimeriez aimerait voudriez voulez souhaitez souhaiteriez
        souhaité besoin besoins pensez penser trouvez trouver dire dites partager expliquer décrire aider aide
        aiderait utile utiles utiliser utilise utilisez utilisent utilisé travailler travaille travaillez travaillent
        travail façon manière convient conviennent correspond correspondent manque manquent mieux plus facile
        difficile simple mal bien bon bonne satisfait satisfaits satisfaite attendez attendiez attentes passe passé
        derrière raison raisons cause causes explique empêche freine gêne gênent bloque choses important importante
        compte parler échanger échange conversation brièvement ensemble entendre répondre réponse responsable
        interlocuteur contact aller améliorer amélioré amélioration tâche tâches processus projet projets priorités
        objectifs exigences situation rôle rôles fonction fonctions fonctionnalité fonctionnalités étape étapes moins
        maintenant actuellement actuel actuelle actuels assez sujet avis expérience organisation réorganisée obstacle
        obstacles difficultés difficulté problème problèmes souci soucis clair claire pourquoi comment quel quelle
        quels quelles laquelle lequel quoi reçu voyez fonctionne serait est-ce t-il t-elle vous-même toujours
        - en ce moment
        - comment va
        - comment vont
        - qui va
        - doit-elle la recevoir
        """
    ),
}
"""What may be asked about anything, beside what may be stated."""

ABOUT: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "usage_decline": {
        "en": _entries(
            """
            usage use used uses using activity active fell fallen falling dropped drop declined decline declining
            decreased decrease lower less fewer quieter quiet rarely often around roughly almost not
            - nobody
            - no one
            - in the weeks before
            - gone down
            - went down
            - going down
            """
        ),
        "de": _entries(
            """
            nutzung nutzungsrückgang nutzen nutzt genutzt verwendung verwenden verwendet aktivität aktivitäten aktiv
            aktiven gesunken gefallen zurückgegangen abgenommen rückgang geringer niedriger weniger seltener ruhiger
            ruhig stiller etwa rund ungefähr fast deutlich nicht niemand mehr wird
            - in den wochen davor
            - ging zurück
            - geht zurück
            """
        ),
        "fr": _entries(
            """
            utilisation utiliser utilise utilisez utilisé utilisée utilisent usage activité actif actifs active
            actives baissé baisse diminué diminution reculé recul chuté inférieure inférieur moins calme rarement
            souvent environ presque nettement pas personne toujours
            - par rapport aux semaines précédentes
            """
        ),
    },
    "support_tickets": {
        "en": _entries(
            """
            ticket tickets support open opened request requests issue issues problem problems waiting unanswered
            unresolved received reported raised contacted sent often usual ones
            - more often
            - costs you time
            - takes time
            """
        ),
        "de": _entries(
            """
            ticket tickets support supports supportanfrage supportanfragen supporttickets anfrage anfragen offen
            offene offenen offenes problem probleme anliegen warten wartet unbeantwortet ungelöst eingegangen erhalten
            gemeldet gestellt kontaktiert gesendet häufiger öfter
            - kostet sie zeit
            - das zeit kostet
            """
        ),
        "fr": _entries(
            """
            ticket tickets support assistance ouvert ouverte ouverts ouvertes demande demandes problème problèmes
            attente attendent réponse reçu reçues reçus signalé signalés contacté envoyé souvent
            - prend du temps
            - en cours
            """
        ),
    },
    "payment_issues": {
        "en": _entries(
            """
            invoice invoices payment payments amount overdue outstanding unpaid open total accounting failed
            - past due
            - did not go through
            - has not reached us
            - not yet reached us
            - not yet arrived
            - has not arrived
            - not received
            - not yet received
            - if it has been paid in the meantime, please ignore this message
            - due date
            """
        ),
        "de": _entries(
            """
            rechnung rechnungen zahlung zahlungen betrag höhe überfällig überfällige überfälligen offen offene offenen
            offener fällig fälligen insgesamt buchhaltung fehlgeschlagen aussteht ausstehend ausstehende
            - konnte nicht durchgeführt werden
            - nicht eingegangen
            - nicht erhalten
            - falls sie inzwischen beglichen ist, betrachten sie diese nachricht als gegenstandslos
            """
        ),
        "fr": _entries(
            """
            facture factures paiement paiements montant retard échue échues impayé total comptabilité règlement échoué
            ouvert
            - n'a pas abouti
            - pas encore reçu
            - pas reçu
            - si elle a été réglée entre-temps, ne tenez pas compte de ce message
            - en suspens
            """
        ),
    },
    "engagement_drop": {
        "en": _entries(
            """
            heard contact touch quiet quieter less fewer often rarely replies reply messages conversations meetings
            exchange talked spoken
            - not heard
            - a while
            """
        ),
        "de": _entries(
            """
            gehört kontakt austausch ruhig ruhiger still stiller weniger seltener antworten nachrichten gespräche
            gesprochen voneinander länger längerer
            """
        ),
        "fr": _entries(
            """
            nouvelles contact échanges échange échangé calme calmes moins souvent rarement réponses messages
            conversations rencontres parlé
            """
        ),
    },
    "context": {
        "en": _entries(
            """
            contract agreement renewal renews renew renewed plan subscription date upcoming approaching fits suits
            - coming up
            - comes up
            - would like to look back
            - how you use the product
            - due
            - renewal is due
            """
        ),
        "de": _entries(
            """
            vertrag vertrags verlängerung vertragsverlängerung verlängert tarif tarifs abonnement termin datum steht
            bevor ansteht anstehende anstehenden rückblick wird
            - möchten mit ihnen darauf zurückblicken
            - wie sie das produkt nutzen
            """
        ),
        "fr": _entries(
            """
            contrat renouvellement renouvelle renouvelé renouveler forfait formule abonnement date échéance approche
            prochain bilan arrive
            - faire avec vous le bilan de votre utilisation
            """
        ),
    },
}
"""What may be stated or asked of what a message is about."""

PROMISED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "discount": {
        "en": _entries("we can offer discount reduced price lower"),
        "de": _entries("wir können anbieten rabatt nachlass günstiger preis"),
        "fr": _entries("nous pouvons offrir proposer remise réduction prix réduit"),
    },
    "refund": {
        "en": _entries("we can refund credit amount back"),
        "de": _entries("wir können erstatten gutschreiben gutschrift erstattung betrag"),
        "fr": _entries("nous pouvons rembourser remboursement avoir montant"),
    },
    "date": {
        "en": _entries("we will can by until more time later"),
        "de": _entries("wir werden können bis später mehr zeit"),
        "fr": _entries("nous allons pouvons avant jusqu'au plus tard délai"),
    },
    "guarantee": {
        "en": _entries("we will can guarantee promise"),
        "de": _entries("wir werden können garantieren garantie versprechen zusagen"),
        "fr": _entries("nous allons pouvons garantir garantie promettre"),
    },
}
"""What a play that may promise something may say beside, by kind of promise."""
